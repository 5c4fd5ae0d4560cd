/**
 * Gives memory back that reading and compiling policies has used: V8 returns
 * it only when it collects, and a daemon that then idles may not collect for
 * hours. Costs the main thread a pause; the packet path runs in other threads.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { NativeBinding } from "../native/binding.ts";
import { preferSmallHeap } from "./memory-bounds.ts";

/** After a change, when its garbage is old enough to be found and no other change followed. */
const QUIET_MS = 1000;

export class MemoryRelease {
  readonly #native: NativeBinding;
  #timer: NodeJS.Timeout | undefined;
  #collect: (() => void) | undefined;

  constructor(native: NativeBinding) {
    this.#native = native;
  }

  /** A change begins, whose speed matters more than its memory. */
  hold(): void {
    clearTimeout(this.#timer);
    preferSmallHeap(false);
  }

  /** Collects once nothing has been asked for a while; from then on the heap is kept small. */
  soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#now(), QUIET_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #now(): void {
    if (this.#collect === undefined) {
      setFlagsFromString("--expose-gc");
      setFlagsFromString("--compact-on-every-full-gc");
      this.#collect = runInNewContext("gc") as () => void;
    }
    // How far the heap may grow before the next collection is decided at the end of this one.
    preferSmallHeap(true);
    // What the first one frees, the second one takes out of pages that are half empty.
    this.#collect();
    this.#collect();
    this.#native.releaseMemory();
  }
}
