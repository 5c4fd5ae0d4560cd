/**
 * Typed arrays over shared memory: the main thread fills them once, workers read them without a copy. Their memory is
 * used again (shared-blocks.ts): whoever gives one to another thread keeps it for as long as that may use it.
 */
import { SharedBlocks } from "./shared-blocks.ts";

/** Of the whole process. */
export const sharedBlocks = new SharedBlocks();

/** Zeros, or a copy. */
export function sharedUint32(source: number | ArrayLike<number>): Uint32Array {
  const length = typeof source === "number" ? source : source.length;
  const array = new Uint32Array(sharedBlocks.take(length * 4), 0, length);
  if (typeof source === "number") array.fill(0);
  else array.set(source);
  return array;
}

/** Zeros. */
export function sharedUint16(length: number): Uint16Array {
  return new Uint16Array(sharedBlocks.take(length * 2), 0, length).fill(0);
}

/** A copy. */
export function sharedUint8(source: ArrayLike<number>): Uint8Array {
  const array = new Uint8Array(sharedBlocks.take(source.length), 0, source.length);
  array.set(source);
  return array;
}

/** Zeros. */
export function sharedFloat64(length: number): Float64Array {
  return new Float64Array(sharedBlocks.take(length * 8), 0, length).fill(0);
}

/** Lists back to back: list i is values[start[i] .. start[i + 1]). */
export interface PackedLists {
  readonly start: Uint32Array;
  readonly values: Uint32Array;
}
