/**
 * Where a connection table lives: one block of shared memory, written by the
 * worker that owns it and read by the others (connection-reader.ts). A block is
 * ready for use from its allocation on.
 *
 * Free slots are chained by `chain`. The idle lists are circular: entry
 * capacity + c of `newer` and `older` is the anchor of class c, its two ends.
 */
import { randomFillSync } from "node:crypto";
import { CONNECTION_CLASSES } from "./connection-class.ts";
import { CONNECTION_WORDS } from "./connection-key.ts";

/** Of a slot, a chain: none. */
export const NONE = -1;

const MAX_CAPACITY = 1 << 24;
/** Capacity, and the hash's seed. */
const HEADER_WORDS = 3;

export interface ConnectionArrays {
  readonly capacity: number;
  readonly seed: Uint32Array;
  readonly keys: Uint32Array;
  readonly hashes: Int32Array;
  readonly ticks: Uint32Array;
  readonly epoch: Uint32Array;
  readonly decision: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly chain: Int32Array;
  readonly newer: Int32Array;
  readonly older: Int32Array;
  /** First slot of each hash chain; a power of two of them. */
  readonly heads: Int32Array;
  readonly state: Uint8Array;
  readonly origin: Uint8Array;
  readonly class: Uint8Array;
  /** Which end of the key is the original direction's source. */
  readonly orientation: Uint8Array;
}

/** An empty block for `capacity` connections, 1 to 2^24, 84 to 88 bytes each. Throws RangeError. */
export function allocateConnections(capacity: number): SharedArrayBuffer {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
    throw new RangeError(`connection table capacity must be an integer from 1 to ${MAX_CAPACITY}, not ${capacity}`);
  }
  const words = HEADER_WORDS + capacity * (CONNECTION_WORDS + 9) + 2 * CONNECTION_CLASSES + bucketsFor(capacity);
  const memory = new SharedArrayBuffer(words * 4 + capacity * 4);
  new Uint32Array(memory)[0] = capacity;
  const { seed, chain, newer, older, heads } = connectionArrays(memory);
  seed.set(randomFillSync(new Uint32Array(2)));
  heads.fill(NONE);
  for (let slot = 0; slot < capacity; slot++) chain[slot] = slot + 1 < capacity ? slot + 1 : NONE;
  for (let anchor = capacity; anchor < capacity + CONNECTION_CLASSES; anchor++) {
    newer[anchor] = anchor;
    older[anchor] = anchor;
  }
  return memory;
}

/** The arrays of an allocated block. */
export function connectionArrays(memory: SharedArrayBuffer): ConnectionArrays {
  const capacity = new Uint32Array(memory, 0, 1)[0];
  let at = 4;
  const unsigned = (length: number): Uint32Array => new Uint32Array(memory, take(length, 4), length);
  const signed = (length: number): Int32Array => new Int32Array(memory, take(length, 4), length);
  const bytes = (length: number): Uint8Array => new Uint8Array(memory, take(length, 1), length);
  function take(length: number, size: number): number {
    const start = at;
    at += length * size;
    return start;
  }
  return {
    capacity,
    seed: unsigned(2),
    keys: unsigned(capacity * CONNECTION_WORDS),
    hashes: signed(capacity),
    ticks: unsigned(capacity),
    epoch: unsigned(capacity),
    decision: signed(capacity),
    from: signed(capacity),
    to: signed(capacity),
    chain: signed(capacity),
    newer: signed(capacity + CONNECTION_CLASSES),
    older: signed(capacity + CONNECTION_CLASSES),
    heads: signed(bucketsFor(capacity)),
    state: bytes(capacity),
    origin: bytes(capacity),
    class: bytes(capacity),
    orientation: bytes(capacity),
  };
}

function bucketsFor(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity));
}
