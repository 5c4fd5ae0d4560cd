/**
 * Starts a queue reader and gives the pool its end of the channel: a thread of
 * its own, or, for a backend that only the main thread can load, this thread.
 * There its packets wait while a policy is compiled.
 */
import { setFlagsFromString } from "node:v8";
import { MessageChannel, Worker } from "node:worker_threads";
import { loadNative } from "../native/load.ts";
import { openNfqueue } from "../nfqueue/nfqueue-queue.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";
import { readQueue } from "./queue-reader.ts";

/** What comes from the reader; "error" and "exit" come only from a thread. */
interface Channel {
  on(event: "message", listener: (message: FromWorker) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  off(event: "message", listener: (message: FromWorker) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "exit", listener: (code: number) => void): unknown;
}

export interface ReaderHandle {
  readonly channel: Channel;
  /** Has the reader handle a message after the batch in hand. */
  post(message: ToWorker): void;
  /** Ends what "close" has left. */
  end(): Promise<unknown>;
}

export function startReader(backend: "native" | "nfqueue", setup: WorkerSetup): ReaderHandle {
  return backend === "native" ? startThread(setup) : startHere(setup);
}

function startThread(setup: WorkerSetup): ReaderHandle {
  // Threads that are started from now on can be told to collect.
  setFlagsFromString("--expose-gc");
  const thread = new Worker(new URL("./worker.js", import.meta.url), { workerData: setup });
  let wakeKey: number | undefined;
  thread.on("message", (message: FromWorker) => {
    if (message.type === "bound") wakeKey = message.wakeKey;
  });
  const wake = (): void => {
    if (wakeKey !== undefined) loadNative().wakeQueue(wakeKey);
  };
  return {
    channel: thread,
    // Woken only when there is something to be seen.
    post(message) {
      thread.postMessage(message);
      wake();
    },
    end() {
      const ended = thread.terminate();
      wake();
      return ended;
    },
  };
}

function startHere(setup: WorkerSetup): ReaderHandle {
  const { port1, port2 } = new MessageChannel();
  readQueue(setup, openNfqueue, port2);
  return { channel: port1, post: (message) => port1.postMessage(message), end: async () => port1.close() };
}
