import { describe, expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string): Promise<T> => scenario<T>("ruleset.mjs", name);

describe("the watch of nf_tables", () => {
  test("names the program of every transaction in a table of iptables, and its netlink port is its process id", async () => {
    expect(await run("authors")).toEqual([
      ["iptables-nft", true],
      ["ip6tables-nft", true],
      ["iptables-nft", true],
      ["nft", true],
    ]);
  });

  test("passes over tables that are not of iptables, whatever their names", async () => {
    expect(await run("unrelated")).toBe(0);
  });

  test("is silent after close, which may be called twice", async () => {
    expect(await run("close")).toBe(0);
  });

  test("tells of an unknown author when the socket overflowed, and watching goes on", async () => {
    expect(await run("overflow")).toEqual({ dropped: true, unknown: true, next: true, calls: true });
  });

  test("puts together what arrived together; whoever did not fit is unknown", async () => {
    expect(await run("manyAuthors")).toEqual({ calls: 1, authors: 16, unknown: 1 });
  });

  test("goes on after an exception in the callback, which reaches uncaughtException", async () => {
    expect(await run("exception")).toBe(true);
  });
});

describe("the digest of a table of iptables-legacy", () => {
  test("changes with the rules of its own table, and not with counters", async () => {
    expect(await run("digest")).toEqual({
      nothing: "same",
      "packets were counted": "same",
      "a listing": "same",
      "a rule moved in one transaction": "other",
      "a rule replaced by one as long": "other",
      "another policy": "other",
      "a rule of a chain gone": "other",
      flushed: "other",
      "IPv6 changed": "same",
      "another table changed": "same",
      IPv6: "other",
    });
  });

  test("of a very large table changes with the number of its rules", async () => {
    expect(await run("bigDigest")).toEqual({ steady: true, noticed: true });
  });

  test("of a table this kernel does not have is ENOENT", async () => {
    expect(await run("noTable")).toBe("ENOENT");
  });
});
