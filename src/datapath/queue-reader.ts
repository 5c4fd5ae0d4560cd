/**
 * Reads one queue: when it was opened and has tables, whichever comes first, it
 * answers every batch.
 * Messages are handled between batches, so an acknowledged generation is in
 * force for every packet answered after it.
 */
import { RampartError } from "../errors/rampart-error.ts";
import { connectionStages, stageSum } from "../flow/connection-class.ts";
import { adoptRecords } from "../flow/connection-records.ts";
import type { ConnectionTable } from "../flow/connection-table.ts";
import { MarkLayout } from "../hooks/marks.ts";
import type { NativeQueueOptions } from "../native/binding.ts";
import { CanaryReader, sharedClock } from "./canary.ts";
import { WorkerCounters } from "./counters.ts";
import { PacketDecider } from "./decider.ts";
import { DenialPace } from "./denial-pace.ts";
import type { PacketQueue } from "./packet-queue.ts";
import { PathProfile } from "./path-profile.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";
import { RecordRing } from "./record-ring.ts";

const HOUSEKEEPING_MS = 250;
/** Idle flows removed a housekeeping round, so that it never delays a batch by much. */
const EXPIRE_BUDGET = 4096;

export type OpenQueue = (options: NativeQueueOptions) => PacketQueue;

/** The reader's end of a message channel: a thread's parent port, or one end of a channel inside a thread. */
export interface ReaderPort {
  postMessage(message: FromWorker): void;
  on(event: "message", listener: (message: ToWorker) => void): unknown;
  close(): void;
}

/**
 * Serves the queue until the port says "close"; a queue that cannot be opened is told to the port as "failed".
 * `collectYoung` takes what tables have left that were replaced: half a millisecond a change, and in a thread that
 * allocates next to nothing it would otherwise stay for ever.
 */
export function readQueue(setup: WorkerSetup, openQueue: OpenQueue, port: ReaderPort, collectYoung?: () => void): void {
  const post = (message: FromWorker): void => port.postMessage(message);
  const counters = new WorkerCounters(setup.counters);
  const events = new RecordRing(setup.events);
  const decider = new PacketDecider({
    marks: new MarkLayout(setup.marks),
    connections: setup.connections,
    flowCapacity: setup.flowCapacity,
    counters,
    events,
    recordAccepted: setup.recordAccepted,
  });
  decider.onUnknownInterface = (index) => post({ type: "unknown-interface", index });
  const canary = new CanaryReader(setup.marks, setup.canaryNonce, counters);
  const pace = setup.deniedPerSecond === undefined ? undefined : new DenialPace(setup.deniedPerSecond);
  let queue: PacketQueue | undefined;
  let published = false;
  let paused = false;
  let tap: RecordRing | undefined;
  const profile = new PathProfile();

  const gauges = (): void => {
    if (queue !== undefined) publishGauges(counters, queue, decider, canary, events, tap);
  };
  const housekeeping = setInterval(() => {
    if (!paused) decider.expire(performance.now(), EXPIRE_BUDGET);
    gauges();
    counters.setGauge("heartbeatAt", sharedClock());
  }, HOUSEKEEPING_MS);
  const start = (opened: PacketQueue): void => {
    const answer = (count: number): void => answerBatch(opened, decider, canary, count);
    opened.start(pace === undefined ? answer : (count) => answerAtPace(pace, decider, count, answer));
  };

  port.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "open":
        try {
          const { descriptor, connections } = message;
          const { tracker } = decider;
          if (connections !== undefined && tracker !== undefined) {
            adoptRecords(tracker.table, connections, performance.now());
          }
          queue = openQueue(descriptor === undefined ? setup.queue : { ...setup.queue, descriptor });
        } catch (error) {
          clearInterval(housekeeping);
          post(failure(error));
          port.close();
          break;
        }
        if (published) start(queue);
        post({ type: "bound", descriptor: queue.descriptor, wakeKey: queue.wakeKey });
        break;
      case "pause":
        paused = true;
        queue?.pause?.();
        post({ type: "paused" });
        break;
      case "resume":
        paused = false;
        queue?.resume?.();
        break;
      case "publish":
        decider.publish(message.published);
        if (!published && queue !== undefined) start(queue);
        published = true;
        post({ type: "published", generation: message.published.tables.generation });
        collectYoung?.();
        break;
      case "interfaces":
        decider.setInterfaces(message.interfaces);
        break;
      case "tap":
        tap = message.ring === undefined ? undefined : new RecordRing(message.ring);
        decider.setTap(tap);
        break;
      case "start-profile":
        profile.start(() => post({ type: "profile-started" }));
        break;
      case "end-profile":
        profile.end((json) => post({ type: "profile", json }));
        break;
      case "close":
        clearInterval(housekeeping);
        gauges();
        queue?.close();
        post({ type: "closed" });
        port.close();
        break;
    }
  });
}

function failure(error: unknown): FromWorker {
  const known = error instanceof RampartError ? error : undefined;
  return {
    type: "failed",
    code: known?.code ?? "RAMPART_E_QUEUE",
    message: error instanceof Error ? error.message : String(error),
    hint: known?.hint,
  };
}

function answerBatch(queue: PacketQueue, decider: PacketDecider, canary: CanaryReader, count: number): void {
  const clock = performance.now();
  decider.beginBatch(performance.timeOrigin + clock, clock);
  for (let i = 0; i < count; i++) {
    if (canary.take(queue.batch, i)) continue;
    try {
      decider.decide(queue.batch, i);
    } catch {
      // The verdict is preset to DROP; a packet that trips us up must not take the rest of the batch with it.
      queue.batch.verdict[i] = 0;
      decider.countInternalError();
    }
  }
}

/** Nobody writes it: waiting for it is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** The wait that a batch has earned is before the next one, when its verdicts have been sent. */
function answerAtPace(pace: DenialPace, decider: PacketDecider, count: number, answer: (count: number) => void): void {
  if (pace.wait > 0) Atomics.wait(NEVER, 0, 0, pace.wait);
  answer(count);
  pace.after(count, decider.denied, performance.now());
}

function publishConnections(counters: WorkerCounters, { counts, evictions }: ConnectionTable): void {
  connectionStages.forEach((stage, i) => {
    counters.setGauge(`${stage}Connections`, stageSum(counts, i));
    counters.setGauge(`${stage}Evicted`, stageSum(evictions, i));
  });
}

function publishGauges(
  counters: WorkerCounters,
  queue: PacketQueue,
  decider: PacketDecider,
  canary: CanaryReader,
  events: RecordRing,
  tap: RecordRing | undefined,
): void {
  const stats = queue.stats();
  const { flows, tracker } = decider;
  counters.setGauge("flows", flows.size + (tracker?.table.size ?? 0));
  counters.setGauge("flowCapacity", flows.capacity + (tracker?.table.capacity ?? 0));
  counters.setGauge("flowsEvicted", flows.evictions);
  if (tracker !== undefined) publishConnections(counters, tracker.table);
  counters.setGauge("eventsLost", events.lost);
  if (tap !== undefined) counters.setGauge("tapLost", tap.lost);
  counters.setGauge("packets", stats.packets - canary.taken);
  counters.setGauge("batches", stats.batches);
  counters.setGauge("enobufs", stats.enobufs);
  counters.setGauge("truncated", stats.truncated);
  counters.setGauge("malformed", stats.malformed);
  counters.setGauge("verdictErrors", stats.verdictErrors);
  counters.setGauge("unanswered", stats.unanswered);
  counters.setGauge("receiveBuffer", stats.receiveBuffer);
}
