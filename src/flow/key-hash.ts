/**
 * HalfSipHash-1-3 over whole 32-bit words: a keyed hash, because the senders of
 * packets choose the input and must not be able to choose collisions. Words are
 * absorbed as they are and no length is added: all inputs of a table have the
 * same length. Source: Aumasson and Bernstein, SipHash (2012), 32-bit variant.
 */

/** Hashes words[0 .. count) under the 64-bit seed (seed0, seed1); returns a signed 32-bit number. */
export function hashWords(words: Uint32Array, count: number, seed0: number, seed1: number): number {
  let v0 = seed0 | 0;
  let v1 = seed1 | 0;
  let v2 = 0x6c796765 ^ seed0;
  let v3 = 0x74656462 ^ seed1;
  // One round a word, then three behind the 0xff that ends the input.
  for (let i = 0; i < count + 3; i++) {
    const word = i < count ? words[i] | 0 : 0;
    if (i === count) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
