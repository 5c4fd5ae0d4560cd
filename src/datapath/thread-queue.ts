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
  readonly #queue: NativeThreadQueue;
  #closed = false;

  constructor(queue: NativeThreadQueue) {
    this.#queue = queue;
    this.batch = queue.batch;
    this.hasConntrack = queue.hasConntrack;
    this.wakeKey = queue.wakeKey;
  }

  start(onBatch: (count: number) => void): void {
    const queue = this.#queue;
    // Always as an immediate: the event loop then looks for messages between a wake-up and the next wait.
    const turn = (): void => {
      if (this.#closed) return;
      setImmediate(turn);
      for (let count = queue.nextBatch(TURN_MS); count > 0; count = queue.nextBatch(TURN_MS)) onBatch(count);
    };
    setImmediate(turn);
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
