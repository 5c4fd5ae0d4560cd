/** What the settings say about queues and the threads that read them, in the pool's words. */
import type { Settings } from "../config/settings.ts";
import type { WorkerPoolOptions } from "../datapath/worker-pool.ts";

export function poolSettings(
  settings: Settings,
): Omit<WorkerPoolOptions, "canaryNonce" | "recordAccepted" | "onUnknownInterface" | "onFatal"> {
  return {
    backend: settings.queue.backend,
    firstQueue: settings.queue.number,
    workers: settings.datapath.workers,
    secondLane: secondLane(settings),
    maxLength: settings.queue.maxLength,
    copyRange: settings.queue.copyRange,
    gather: settings.queue.gatherMicros,
    receiveBuffer: settings.queue.receiveBuffer,
    failOpen: settings.queue.failOpen,
    marks: settings.marks,
    offload: settings.datapath.offload,
    flowCapacity: settings.flows.capacity,
  };
}

function secondLane({ overload }: Settings): WorkerPoolOptions["secondLane"] {
  if (!overload.secondLane) return undefined;
  return { maxLength: overload.queueLength, deniedPerSecond: overload.deniedPerSecond };
}
