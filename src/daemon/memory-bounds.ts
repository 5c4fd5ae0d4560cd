/**
 * Bounds on what V8 and the C library keep for later. Both of them trade memory
 * for speed as if the process went on allocating for as long as it lives; the
 * daemon does so at a change of policy, and its packet path not at all.
 */
import { setFlagsFromString } from "node:v8";
import type { NativeBinding } from "../native/binding.ts";

/** For the whole process, threads started from now on included. Best called before anything large is made. */
export function boundMemory(native: NativeBinding): void {
  // The young generation stays as small as it begins, a MiB, in place of 16 MiB times three in every thread.
  setFlagsFromString("--semi-space-growth-factor=1");
  // The old generation is collected before it has grown by much, and not when it has doubled.
  setFlagsFromString("--optimize-for-size");
  native.boundMemory();
}
