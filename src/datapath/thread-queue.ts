/**
 * The addon's queue for a thread that has nothing else to do: it waits for
 * packets in the addon and not in its event loop, which saves half of a lone
 * packet's system calls. The loop has its turn after a while, and at once when
 * the pool wakes the queue by its key, so timers, messages and everything else
 * of Node work as in any thread, between batches.
 */
import type { NativeQueueOptions, NativeThreadQueue } from "../native/binding.ts";
import { openQueue } from "../native/open-queue.ts";
import type { PacketQueue } from "./packet-queue.ts";

/** How long timers may have to wait. */
const TURN_MS = 100;

/** The errors are those of native/open-queue.ts. */
export function openThreadQueue(options: NativeQueueOptions): PacketQueue {
  return new ThreadQueue(openQueue(options));
}

class ThreadQueue implements PacketQueue {
  readonly batch: NativeThreadQueue["batch"];
  readonly hasConntrack: boolean;
  readonly wakeKey: number;
  readonly descriptor: number;
  readonly #queue: NativeThreadQueue;
  #onBatch: ((count: number) => void) | undefined;
  #next: NodeJS.Immediate | undefined;
  #paused = false;
  #closed = false;
  /** Always as an immediate: the event loop then looks for messages between a wake-up and the next wait. */
  readonly #turn = (): void => {
    const queue = this.#queue;
    const onBatch = this.#onBatch;
    if (this.#closed || onBatch === undefined) return;
    this.#next = setImmediate(this.#turn);
    for (let count = queue.nextBatch(TURN_MS); count > 0; count = queue.nextBatch(TURN_MS)) onBatch(count);
  };

  constructor(queue: NativeThreadQueue) {
    this.#queue = queue;
    this.batch = queue.batch;
    this.hasConntrack = queue.hasConntrack;
    this.wakeKey = queue.wakeKey;
    this.descriptor = queue.descriptor;
  }

  start(onBatch: (count: number) => void): void {
    this.#onBatch = onBatch;
    this.#next = setImmediate(this.#turn);
  }

  pause(): void {
    this.#paused = true;
    clearImmediate(this.#next);
    this.#queue.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#queue.resume();
    this.#next = setImmediate(this.#turn);
  }

  send(id: number, verdict: number, mark: number): void {
    this.#queue.send(id, verdict, mark);
  }

  stats(): ReturnType<NativeThreadQueue["stats"]> {
    return this.#queue.stats();
  }

  close(): void {
    this.#closed = true;
    this.#queue.close();
  }
}
