/**
 * Gives memory back that reading and compiling policies has used, and later
 * what else has gathered: V8 returns it only when it collects, and a daemon
 * that idles may not collect for hours. Costs the main thread a pause; the
 * packet path runs in other threads.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { NativeBinding } from "../native/binding.ts";
import { sharedBlocks } from "../tables/shared-arrays.ts";
import { preferSmallHeap } from "./memory-bounds.ts";

/** After a change, when its garbage is old enough to be found and no other change followed. */
const QUIET_MS = 1000;
const LOOK_MS = 10_000;
/** Bytes that may gather before it is worth a pause. */
const ROOM = 8 * 1024 * 1024;
/** While one change follows another without a quiet second: bytes of tables that may gather, and how long the rest. */
const TABLES_ROOM = 16 * 1024 * 1024;
const LONGEST_MS = 30_000;
/** What a collection found is told a little later. */
const FOUND_MS = 100;

export class MemoryRelease {
  readonly #native: NativeBinding;
  #timer: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #found: NodeJS.Timeout | undefined;
  #collect: (() => void) | undefined;
  /** Bytes in use after the last collection. */
  #floor = 0;
  #releasedAt = performance.now();

  constructor(native: NativeBinding) {
    this.#native = native;
  }

  /** A change begins, whose speed matters more than its memory. */
  hold(): void {
    this.stop();
    preferSmallHeap(false);
  }

  /** Collects once nothing has been asked for a while; from then on the heap is kept small. */
  soon(): void {
    this.stop();
    const due = sharedBlocks.fresh > TABLES_ROOM || performance.now() - this.#releasedAt > LONGEST_MS;
    this.#timer = setTimeout(() => this.#afterChange(), due ? 0 : QUIET_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#looking);
    clearTimeout(this.#found);
  }

  #afterChange(): void {
    // How far the heap may grow before the next collection is decided at the end of this one.
    preferSmallHeap(true);
    // What the first one frees, the second one takes out of pages that are half empty.
    this.#release();
    this.#release();
    this.#found = setTimeout(() => this.#releaseBlocks(), FOUND_MS).unref();
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    this.#releaseBlocks();
    if (getHeapStatistics().used_heap_size > this.#floor + ROOM) this.#release();
  }

  #release(): void {
    this.#collect ??= collector();
    this.#collect();
    sharedBlocks.settle();
    this.#native.releaseMemory();
    this.#floor = getHeapStatistics().used_heap_size;
    this.#releasedAt = performance.now();
  }

  #releaseBlocks(): void {
    sharedBlocks.releasePages((bytes) => this.#native.releasePages(bytes));
  }
}

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  setFlagsFromString("--compact-on-every-full-gc");
  return runInNewContext("gc") as () => void;
}
