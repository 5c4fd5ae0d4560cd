/** Memory of tables is used again when nothing refers to them, and not before. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { SharedBlocks } from "../../src/tables/shared-blocks.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Until the collector has found so many bytes free, or it is plain that it will not. */
async function freeBytes(blocks: SharedBlocks, wanted: number): Promise<number> {
  for (let attempt = 0; attempt < 20 && blocks.free < wanted; attempt++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return blocks.free;
}

it("gives a block away again once nothing refers to it", async () => {
  const blocks = new SharedBlocks();
  let array: Uint32Array | undefined = new Uint32Array(blocks.take(4096), 16, 4).fill(5);
  expect([blocks.total, blocks.free, blocks.fresh]).toEqual([4096, 0, 4096]);
  expect(await freeBytes(blocks, 4096)).toBe(0);
  expect(array[0]).toBe(5);
  array = undefined;
  expect(await freeBytes(blocks, 4096)).toBe(4096);
  // Smaller, yet of the same size of block.
  array = new Uint32Array(blocks.take(4000), 16, 4);
  expect(array[0]).toBe(5);
  expect([blocks.total, blocks.free, blocks.fresh]).toEqual([4096, 0, 4096]);
  blocks.settle();
  expect(blocks.fresh).toBe(0);
});

it("never gives away what a view of a view still refers to", async () => {
  const blocks = new SharedBlocks();
  const held = new Uint8Array(blocks.take(1000)).subarray(10).subarray(10, 20).fill(1);
  expect(await freeBytes(blocks, 1)).toBe(0);
  const others = Array.from({ length: 20 }, () => new Uint8Array(blocks.take(1000)).fill(2));
  expect(held.every((byte) => byte === 1)).toBe(true);
  expect(others).toHaveLength(20);
});

it("has room for what was asked, and little more", () => {
  const blocks = new SharedBlocks();
  for (let bytes = 0; bytes < 300_000; bytes = Math.ceil(bytes * 1.01 + 1)) {
    const size = blocks.take(bytes).byteLength;
    expect(size).toBeGreaterThanOrEqual(bytes);
    expect(size).toBeLessThanOrEqual(Math.max(64, bytes * 1.125));
  }
});

it("has the pages of free blocks released, of each once", async () => {
  const blocks = new SharedBlocks();
  const held = blocks.take(10_000);
  blocks.take(20_000);
  await freeBytes(blocks, 20_000);
  const released: number[] = [];
  const release = (memory: Uint8Array): void => void released.push(memory.length);
  blocks.releasePages(release);
  blocks.releasePages(release);
  expect(released).toEqual([20_480]);
  expect(held.byteLength).toBe(10_240);
});
