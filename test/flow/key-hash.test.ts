import { describe, expect, it } from "vitest";
import { hashWords } from "../../src/flow/key-hash.ts";

const hash = (words: readonly number[], seed: readonly [number, number]): number =>
  hashWords(Uint32Array.from(words), words.length, seed[0], seed[1]) >>> 0;

const bucket = (n: number, seed: readonly [number, number]): number => hash([n, 1, 2], seed) & 1023;

describe("hashWords", () => {
  it("is HalfSipHash-1-3: the published vectors for 0, 4 and 8 bytes, with their closing length word", () => {
    const seed = [0x03020100, 0x07060504] as const;
    expect(hash([0], seed)).toBe(0x5814c896);
    expect(hash([0x03020100, 0x04000000], seed)).toBe(0x7e059ea6);
    expect(hash([0x03020100, 0x07060504, 0x08000000], seed)).toBe(0x577999b1);
  });

  it("gives other collisions under another seed", () => {
    const first = [1, 2] as const;
    const colliding = Array.from({ length: 100_000 }, (_, n) => n).filter((n) => bucket(n, first) === 0);
    expect(colliding.length).toBeGreaterThan(50);
    const buckets = new Set(colliding.map((n) => bucket(n, [1, 3])));
    expect(buckets.size).toBeGreaterThan(colliding.length / 2);
  });
});
