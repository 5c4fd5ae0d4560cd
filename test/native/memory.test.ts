/** Memory that goes back to the kernel. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { loadNative } from "../../src/native/load.ts";

const MIB = 2 ** 20;
/** Too small for a mapping of its own, so malloc takes it from its heap. */
const BUFFER_BYTES = 8192;

test("releaseMemory gives back the pages between two allocations that are still in use", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const native = loadNative();
  native.boundMemory();
  const buffers: (Buffer | undefined)[] = [];
  for (let n = 0; n < 8192; n++) buffers.push(Buffer.allocUnsafeSlow(BUFFER_BYTES).fill(n));
  // Every 64th stays: the heap's end cannot move down, and the holes are half a MiB.
  for (let n = 0; n < buffers.length; n++) if (n % 64 !== 0) buffers[n] = undefined;
  const before = process.memoryUsage.rss();
  let released = 0;
  // The memory of buffers that were collected is freed by another thread, in its own time.
  for (let attempt = 0; attempt < 50 && released < 32 * MIB; attempt++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
    native.releaseMemory();
    released = before - process.memoryUsage.rss();
  }
  expect(released).toBeGreaterThanOrEqual(32 * MIB);
  expect(buffers[64]?.[0]).toBe(64);
});

test("releasePages gives back the whole pages of a shared block, which can be used again, and nothing around it", () => {
  const native = loadNative();
  const block = new Uint8Array(new SharedArrayBuffer(64 * MIB)).fill(7);
  const part = block.subarray(100, block.length - 100);
  const before = process.memoryUsage.rss();
  native.releasePages(part);
  expect(before - process.memoryUsage.rss()).toBeGreaterThanOrEqual(32 * MIB);
  expect(block[32 * MIB]).toBe(0);
  expect(block.subarray(0, 100).every((byte) => byte === 7)).toBe(true);
  expect(block.subarray(block.length - 100).every((byte) => byte === 7)).toBe(true);
  block.fill(9);
  expect(block[32 * MIB]).toBe(9);
});

test("releasePages of less than a page, or of something else, changes nothing", () => {
  const native = loadNative();
  const small = new Uint8Array(16).fill(7);
  native.releasePages(small);
  expect(small.every((byte) => byte === 7)).toBe(true);
  native.releasePages(new Uint8Array(0));
  expect(() => native.releasePages(5 as unknown as Uint8Array)).toThrow(TypeError);
});
