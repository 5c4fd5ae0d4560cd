/** A ring from one worker to the main thread. */
import { describe, expect, it } from "vitest";
import { allocateRing, Field, RecordRing } from "../../src/datapath/record-ring.ts";

const RECORDS = 8;

function write(ring: RecordRing, rule: number, yields = false): boolean {
  const at = ring.reserve(yields);
  if (at < 0) return false;
  ring.words[at + Field.RULE] = rule;
  ring.setTime(at, 1_795_000_000_123.5);
  ring.setPayload(at, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 2, 7);
  ring.commit();
  return true;
}

function rules(ring: RecordRing, limit = 100): number[] {
  const found: number[] = [];
  ring.drain(limit, (at) => found.push(ring.words[at + Field.RULE] ?? -1));
  return found;
}

describe("RecordRing", () => {
  it("hands on records in order, with time and as much of the packet as there is room for", () => {
    const memory = allocateRing(RECORDS, 5);
    const [writer, reader] = [new RecordRing(memory), new RecordRing(memory)];
    for (let rule = 1; rule <= 3; rule++) write(writer, rule);
    expect(rules(reader, 2)).toEqual([1, 2]);
    reader.drain(1, (at) => {
      expect(reader.time(at)).toBe(1_795_000_000_123.5);
      expect([...reader.payload(at)]).toEqual([3, 4, 5, 6, 7, 8, 9]);
    });
    expect(rules(reader)).toEqual([]);
  });

  it("keeps its order over many turns, loses what does not fit and counts it", () => {
    const memory = allocateRing(RECORDS, 0);
    const [writer, reader] = [new RecordRing(memory), new RecordRing(memory)];
    for (let turn = 0; turn < 5; turn++) {
      const taken = Array.from({ length: RECORDS + 2 }, (_, n) => write(writer, turn * 100 + n));
      expect(taken.filter(Boolean)).toHaveLength(RECORDS);
      expect(rules(reader)).toEqual(Array.from({ length: RECORDS }, (_, n) => turn * 100 + n));
      expect(reader.lost).toBe((turn + 1) * 2);
    }
  });

  it("leaves half of it to others for a record that yields", () => {
    const ring = new RecordRing(allocateRing(RECORDS, 0));
    const taken = Array.from({ length: RECORDS }, (_, n) => write(ring, n, true));
    expect(taken.filter(Boolean)).toHaveLength(RECORDS / 2);
    expect(write(ring, 9)).toBe(true);
  });

  it("shows a reader that begins anew nothing of before", () => {
    const memory = allocateRing(RECORDS, 0);
    const writer = new RecordRing(memory);
    for (let rule = 1; rule <= RECORDS + 1; rule++) write(writer, rule);
    const reader = new RecordRing(memory);
    reader.skip();
    expect(rules(reader)).toEqual([]);
    expect(write(writer, 20)).toBe(true);
    expect(rules(reader)).toEqual([20]);
  });
});
