/** Typed arrays over shared memory: the main thread fills them once, workers read them without a copy. */

export function sharedUint32(source: number | ArrayLike<number>): Uint32Array {
  const length = typeof source === "number" ? source : source.length;
  const array = new Uint32Array(new SharedArrayBuffer(length * 4));
  if (typeof source !== "number") array.set(source);
  return array;
}

export function sharedUint16(length: number): Uint16Array {
  return new Uint16Array(new SharedArrayBuffer(length * 2));
}

export function sharedUint8(source: ArrayLike<number>): Uint8Array {
  const array = new Uint8Array(new SharedArrayBuffer(source.length));
  array.set(source);
  return array;
}

/** Lists back to back: list i is values[start[i] .. start[i + 1]). */
export interface PackedLists {
  readonly start: Uint32Array;
  readonly values: Uint32Array;
}
