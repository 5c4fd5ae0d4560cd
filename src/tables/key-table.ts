/**
 * A fixed open-addressing table from three 32-bit numbers to one, built once
 * and then only read. Slots are four words: a, b, c, value; value 0 is empty,
 * so stored values are value + 1.
 */
import { sharedUint32 } from "./shared-arrays.ts";

export interface KeyTable {
  readonly slots: Uint32Array;
  readonly mask: number;
}

export function buildKeyTable(entries: readonly (readonly [number, number, number, number])[]): KeyTable {
  let capacity = 4;
  while (capacity < entries.length * 2) capacity *= 2;
  const slots = sharedUint32(capacity * 4);
  const mask = capacity - 1;
  for (const [a, b, c, value] of entries) {
    let slot = hashKey(a, b, c) & mask;
    while (slots[slot * 4 + 3] !== 0) slot = (slot + 1) & mask;
    slots[slot * 4] = a;
    slots[slot * 4 + 1] = b;
    slots[slot * 4 + 2] = c;
    slots[slot * 4 + 3] = value + 1;
  }
  return { slots, mask };
}

/** The value stored for the key, or -1. */
export function findKey(table: KeyTable, a: number, b: number, c: number): number {
  const { slots, mask } = table;
  let slot = hashKey(a, b, c) & mask;
  for (;;) {
    const at = slot << 2;
    const value = slots[at + 3];
    if (value === 0) return -1;
    if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c) return value - 1;
    slot = (slot + 1) & mask;
  }
}

function hashKey(a: number, b: number, c: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b) ^ Math.imul(c + 0x165667b1, 0xc2b2ae35);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}
