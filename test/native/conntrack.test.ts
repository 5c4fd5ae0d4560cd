import { expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string): Promise<T> => scenario<T>("conntrack.mjs", name);

const LOOPBACK4 = "7f000001";
const LOOPBACK6 = `${"0".repeat(31)}1`;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;

test("a dump tells the family, protocol, addresses, ports and ICMP fields of each original direction", async () => {
  const result = await run<Record<"four" | "six" | "both", { family: number; id: number; sourcePort: number }[]>>(
    "entries",
  );
  const udp = { protocol: UDP, destinationPort: 10000, zone: 0, mark: 0 };
  expect(result.four).toContainEqual(
    expect.objectContaining({ ...udp, family: 4, source: LOOPBACK4, destination: LOOPBACK4 }),
  );
  expect(result.six).toContainEqual(
    expect.objectContaining({ ...udp, family: 6, source: LOOPBACK6, destination: LOOPBACK6 }),
  );
  expect(result.four).toContainEqual(expect.objectContaining({ protocol: ICMP, icmpType: 8, icmpCode: 0 }));
  expect(result.six).toContainEqual(expect.objectContaining({ protocol: ICMPV6, icmpType: 128, icmpCode: 0 }));
  expect(result.four.every(({ family }) => family === 4)).toBe(true);
  expect(result.six.every(({ family }) => family === 6)).toBe(true);
  expect(result.both).toHaveLength(result.four.length + result.six.length);
  expect(new Set(result.both.map(({ id }) => id)).size).toBe(result.both.length);
});

test("three thousand connections come in steps, and the kernel filters them by mark, mask and family", async () => {
  expect(await run("manyMarks")).toEqual({
    all: 3000,
    set: 1000,
    marked: 1000,
    wrongFamily: 0,
    others: 2000,
    listed: 1000,
  });
});

test("setting a mark leaves the bits outside the mask as they were", async () => {
  expect(await run("mask")).toEqual([0xaabbccdd, 0x11bbccdd, 0x11bb00dd, 0x91bb00dd]);
});

test("delete removes the connection; of one that is gone, delete and setMark say so", async () => {
  const gone = [true, false, false];
  expect(await run("remove")).toEqual({ results: [...gone, ...gone, ...gone], left: [10001, 10003] });
});

test("delete names a connection by its id too, which spares newer ones with the same addresses and ports", async () => {
  const result = await run<{ count: number; before: number; deleted: number }>("recreated");
  expect(result.before).toBe(50);
  // Not all: the kernel makes the id from the entry's place in memory, and a newer one may have got the same place.
  expect(result.deleted).toBeLessThan(result.count);
});

test("connections in zones, of both directions or one, are told and marked", async () => {
  expect(await run("zones")).toEqual([
    [10000, 5, 5],
    [10001, 6, 6],
  ]);
});

test("the state of a TCP connection is told: ESTABLISHED, then TIME_WAIT or a state just before it", async () => {
  const { open, closed, udp } = await run<{ open: number[]; closed: number[]; udp: number }>("tcpStates");
  expect([open, udp]).toEqual([[3], 0]);
  expect(closed).toHaveLength(1);
  expect([6, 7]).toContain(closed[0]);
});

test("out of order: no dump begun, two begun, an index beyond the batch, a closed socket", async () => {
  expect(await run("misuse")).toEqual([0, true, 0, 0, "ERR_OUT_OF_RANGE", "ERR_OUT_OF_RANGE", "ERR_INVALID_STATE"]);
});
