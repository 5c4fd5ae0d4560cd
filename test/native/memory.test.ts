/** Memory that the C library keeps between what is still in use goes back to the kernel. */
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
