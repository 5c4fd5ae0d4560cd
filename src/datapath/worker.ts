/** A queue reader thread: the addon's queue, read until the main thread says "close". */
import { parentPort, workerData } from "node:worker_threads";
import type { WorkerSetup } from "./protocol.ts";
import { readQueue } from "./queue-reader.ts";
import { openThreadQueue } from "./thread-queue.ts";

if (parentPort === null) throw new Error("datapath/worker.ts runs only as a worker thread");
readQueue(workerData as WorkerSetup, openThreadQueue, parentPort, () => globalThis.gc?.({ type: "minor" }));
