/**
 * Starts a queue reader and gives the pool its end of the channel: a thread of
 * its own, or, for a backend that only the main thread can load, this thread.
 * There its packets wait while a policy is compiled.
 */
import { MessageChannel, Worker } from "node:worker_threads";
import { openNfqueue } from "../nfqueue/nfqueue-queue.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";
import { readQueue } from "./queue-reader.ts";

/** The pool's end; "error" and "exit" come only from a thread. */
interface Channel {
  postMessage(message: ToWorker): void;
  on(event: "message", listener: (message: FromWorker) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "exit", listener: (code: number) => void): unknown;
  off(event: "message", listener: (message: FromWorker) => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
  off(event: "exit", listener: (code: number) => void): unknown;
}

export interface ReaderHandle {
  readonly channel: Channel;
  /** Ends what "close" has left. */
  end(): Promise<unknown>;
}

export function startReader(backend: "native" | "nfqueue", setup: WorkerSetup): ReaderHandle {
  return backend === "native" ? startThread(setup) : startHere(setup);
}

function startThread(setup: WorkerSetup): ReaderHandle {
  const thread = new Worker(new URL("./worker.js", import.meta.url), { workerData: setup });
  return { channel: thread, end: () => thread.terminate() };
}

function startHere(setup: WorkerSetup): ReaderHandle {
  const { port1, port2 } = new MessageChannel();
  readQueue(setup, openNfqueue, port2);
  return { channel: port1, end: async () => port1.close() };
}
