import { expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string): Promise<T> => scenario<T>("interfaces.mjs", name);

interface Interface {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly addresses: readonly string[];
}

test("the list has every link with its state and its own addresses, however many there are", async () => {
  const { before, after, many } = await run<{ before: Interface[]; after: Interface[]; many: number }>("list");
  expect(before.map(({ index, name }) => [index, name])).toEqual([[1, "lo"]]);
  expect(after.find(({ name }) => name === "lo")).toEqual({
    index: 1,
    name: "lo",
    up: true,
    addresses: ["127.0.0.1", "::1"],
  });
  const left = after.find(({ name }) => name === "left");
  expect(left).toMatchObject({ up: true });
  expect(left?.addresses).toEqual(expect.arrayContaining(["10.1.0.1", "10.1.0.2", "fd01::1"]));
  expect(after.find(({ name }) => name === "right")).toMatchObject({ up: false, addresses: ["10.2.0.1"] });
  expect(many).toBe(after.length + 200);
});

test("the watch calls after link and address changes of both families, and not after close", async () => {
  expect(await run("watch")).toEqual({ seen: 5, afterClose: 0 });
});

test("thousands of changes at once are a few calls, though the socket overflowed, and watching goes on", async () => {
  const { flooded, dropped, addresses } = await run<Record<"flooded" | "dropped" | "addresses", number>>("flood");
  expect(dropped).toBeGreaterThan(0);
  expect(flooded).toBeLessThan(10);
  expect(addresses).toBeGreaterThanOrEqual(4001);
});

test("an exception in the callback reaches uncaughtException and the watch goes on", async () => {
  expect(await run("exception")).toEqual(["call 1", "call 2"]);
});
