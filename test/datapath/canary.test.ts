import { describe, expect, it } from "vitest";
import { CanaryReader, canaryPayload, NONCE_BYTES, sharedClock } from "../../src/datapath/canary.ts";
import { WorkerCounters } from "../../src/datapath/counters.ts";
import { DEFAULT_MARK_MASKS, MarkLayout } from "../../src/hooks/marks.ts";
import { Verdict, type PacketBatch } from "../../src/native/binding.ts";
import { ipv4, udp } from "../packet/build.ts";

const UDP = 17;
const MARK = new MarkLayout().canaryMark;
const NONCE = Uint8Array.from({ length: NONCE_BYTES }, (_, i) => i + 1);

function batchOf(packet: Uint8Array, mark: number): PacketBatch {
  // Not at the slab's begin, as most packets are not.
  const slab = new Uint8Array(packet.length + 3);
  slab.set(packet, 3);
  const one = (value: number): Uint32Array => Uint32Array.of(value);
  return {
    slab,
    id: one(1),
    hook: Uint8Array.of(3),
    inInterface: one(0),
    outInterface: one(1),
    mark: one(mark),
    hardwareProtocol: Uint16Array.of(0x0800),
    offset: one(3),
    length: one(packet.length),
    originalLength: one(packet.length),
    skbInfo: one(0),
    uid: one(0),
    verdict: Uint8Array.of(Verdict.ACCEPT),
    verdictMark: one(mark),
  };
}

const datagram = (payload: Uint8Array): Uint8Array => ipv4({ protocol: UDP }, udp({}, payload));
const canary = (sequence: number, around = false): Uint8Array => datagram(canaryPayload(NONCE, sequence, around));

describe("a canary that comes back", () => {
  it("is noted under its queue with its number and the time, and dropped", () => {
    const counters = new WorkerCounters();
    const reader = new CanaryReader(DEFAULT_MARK_MASKS, NONCE, counters);
    const before = sharedClock();
    const batch = batchOf(canary(0x80000001), MARK | 0x77);
    expect(reader.take(batch, 0)).toBe(true);
    expect(batch.verdict[0]).toBe(Verdict.DROP);
    expect(counters.gauge("canarySequence")).toBe(0x80000001);
    expect(counters.gauge("canaryAroundSequence")).toBe(0);
    expect(counters.gauge("canaryAt")).toBeGreaterThanOrEqual(before);
    expect(counters.gauge("canaryAt")).toBeLessThanOrEqual(sharedClock());
    expect(reader.take(batchOf(canary(7, true), MARK), 0)).toBe(true);
    expect(counters.gauge("canaryAroundSequence")).toBe(7);
    expect(counters.gauge("canarySequence")).toBe(0x80000001);
    expect(reader.taken).toBe(2);
  });

  it.each([
    ["another mark", canary(1), 0],
    ["a verdict in its mark", canary(1), (MARK | 0x01000000) >>> 0],
    ["another process's number", datagram(canaryPayload(NONCE.map((byte) => byte ^ 1), 1, false)), MARK],
    ["a byte too many", datagram(Uint8Array.of(...canaryPayload(NONCE, 1, false), 0)), MARK],
    ["nothing in it", datagram(new Uint8Array(0)), MARK],
    ["no packet at all", new Uint8Array(0), MARK],
  ])("is a packet like others with %s", (_what, packet, mark) => {
    const counters = new WorkerCounters();
    const reader = new CanaryReader(DEFAULT_MARK_MASKS, NONCE, counters);
    const batch = batchOf(packet, mark);
    expect(reader.take(batch, 0)).toBe(false);
    expect(batch.verdict[0]).toBe(Verdict.ACCEPT);
    expect(counters.gauge("canarySequence")).toBe(0);
  });
});
