import { describe, expect, it } from "vitest";
import type { QuestionSource } from "../../src/explain/question.ts";
import { readQuestion } from "../../src/explain/question.ts";

const ENDS = { from: "prod/web", to: "192.0.2.1" };
const read = (rest: QuestionSource) => readQuestion({ ...ENDS, ...rest });

describe("a question", () => {
  it("about TCP needs a destination port and begins at a port of the dynamic range", () => {
    expect(read({ protocol: "tcp", port: 80 })).toEqual({
      ...ENDS,
      protocol: 6,
      port: 80,
      sourcePort: 49_152,
      icmpType: undefined,
      icmpCode: 0,
      family: undefined,
    });
  });

  it.each([
    ["TCP", 6],
    ["udp", 17],
    ["Sctp", 132],
    ["UDPLite", 136],
    [6, 6],
    ["17", 17],
  ])("protocol %s is %i", (protocol, number) => {
    expect(read({ protocol, port: 1 }).protocol).toBe(number);
  });

  it("numbers may be text, as options are; a port may be a name", () => {
    expect(read({ protocol: "tcp", port: "65535", sport: "1", family: "6" })).toMatchObject({
      port: 65_535,
      sourcePort: 1,
      family: 6,
    });
    expect(read({ protocol: "tcp", port: "http" }).port).toBe("http");
  });

  it("about ICMP is about an echo request of the family unless it says more; 0 is a type like any other", () => {
    expect(read({ protocol: "icmp" })).toMatchObject({ protocol: 1, icmpType: 8, icmpCode: 0, family: 4 });
    expect(read({ protocol: "icmpv6" })).toMatchObject({ protocol: 58, icmpType: 128, family: 6 });
    expect(read({ protocol: 1, icmpType: 0, icmpCode: 3 })).toMatchObject({ icmpType: 0, icmpCode: 3 });
  });

  it("about any other protocol has neither ports nor a type; null is as good as nothing", () => {
    expect(read({ protocol: 47, port: null })).toMatchObject({ protocol: 47, port: undefined, icmpType: undefined });
  });

  it.each<[string, QuestionSource]>([
    ["from", { from: "", protocol: 47 }],
    ["from", { from: 7, protocol: 47 }],
    ["to", { to: undefined, protocol: 47 }],
    ["protocol", {}],
    ["protocol", { protocol: "gre" }],
    ["protocol", { protocol: 0 }],
    ["protocol", { protocol: 256 }],
    ["protocol", { protocol: 6.5, port: 1 }],
    ["port", { protocol: "tcp" }],
    ["port", { protocol: "tcp", port: 0 }],
    ["port", { protocol: "tcp", port: 65_536 }],
    ["port", { protocol: "tcp", port: "two words" }],
    ["port", { protocol: "tcp", port: [80] }],
    ["port", { protocol: "icmp", port: 80 }],
    ["sport", { protocol: "tcp", port: 80, sport: -1 }],
    ["sport", { protocol: 47, sport: 1 }],
    ["icmpType", { protocol: "tcp", port: 80, icmpType: 8 }],
    ["icmpType", { protocol: "icmp", icmpType: 256 }],
    ["icmpCode", { protocol: "icmp", icmpCode: "x" }],
    ["family", { protocol: 47, family: 5 }],
    ["family", { protocol: "icmp", family: 6 }],
  ])("names %s as what is wrong with %o", (field, source) => {
    const problem = (): unknown => readQuestion({ ...ENDS, ...source });
    expect(problem).toThrow(expect.objectContaining({ code: "RAMPART_E_QUESTION" }));
    expect(problem).toThrow(new RegExp(`^${field}`));
  });
});
