/**
 * Addresses as 32-bit words, most significant first: one for IPv4, four for
 * IPv6. `width` is how many; an address is given by an array and its place.
 */
import type { Cidr, Family } from "../address/address.ts";

export function addressWidth(family: Family): number {
  return family === 4 ? 1 : 4;
}

/** Writes the first address of a prefix. */
export function writeAddress(to: Uint32Array, at: number, { family, value }: Cidr): void {
  if (family === 4) to[at] = Number(value);
  else for (let w = 3, rest = value; w >= 0; w--, rest >>= 32n) to[at + w] = Number(rest & 0xffffffffn);
}

/** Negative, zero or positive, as `a` is below, at or above `b`. */
export function compareAddresses(a: Uint32Array, i: number, b: Uint32Array, j: number, width: number): number {
  for (let w = 0; w < width; w++) {
    const order = a[i + w] - b[j + w];
    if (order !== 0) return order;
  }
  return 0;
}

/** Writes the last address of the prefix of that length that begins at `from`. */
export function writeLast(to: Uint32Array, at: number, from: Uint32Array, i: number, width: number, length: number): void {
  for (let w = 0; w < width; w++) to[at + w] = from[i + w] | ~networkMask(length - w * 32);
}

/** Writes the prefix of that length that holds the address `from`. */
export function writeMasked(to: Uint32Array, at: number, from: Uint32Array, i: number, width: number, length: number): void {
  for (let w = 0; w < width; w++) to[at + w] = from[i + w] & networkMask(length - w * 32);
}

/** Writes the address behind `from`; false if that was the last one there is, and zero is written. */
export function writeNext(to: Uint32Array, at: number, from: Uint32Array, i: number, width: number): boolean {
  let carry = 1;
  for (let w = width - 1; w >= 0; w--) {
    const word = from[i + w] + carry;
    to[at + w] = word;
    carry = word > 0xffffffff ? 1 : 0;
  }
  return carry === 0;
}

/** A word whose first `bits` bits are set; fewer than 0 count as 0, more than 32 as 32. */
function networkMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : ~(-1 >>> bits);
}
