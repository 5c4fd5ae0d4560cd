/**
 * Bounds on what V8 and the C library keep for later. Both of them trade memory
 * for speed as if the process went on allocating for as long as it lives; the
 * daemon does so at a change of policy, and its packet path not at all.
 */
import { setFlagsFromString } from "node:v8";
import type { NativeBinding } from "../native/binding.ts";

/** For the whole process. To be called before anything large is made. */
export function boundMemory(native: NativeBinding): void {
  boundYoungGeneration();
  native.boundMemory();
}

/**
 * The young generation of every thread stays as it is and does not grow, to 16 MiB and as much again. To be called
 * once more when threads were started: V8 sets the factor to 2 with each of them.
 */
export function boundYoungGeneration(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}

/** Whether V8 collects before a heap has grown by much, or when it has about doubled, which is a third less work. */
export function preferSmallHeap(small: boolean): void {
  setFlagsFromString(small ? "--optimize-for-size" : "--no-optimize-for-size");
}
