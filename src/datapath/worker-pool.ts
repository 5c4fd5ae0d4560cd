/**
 * The main thread's side of the workers: one thread and one queue each, or one
 * reader in the main thread itself (reader-handle.ts). A publish is done when
 * every worker has acknowledged it; a worker that dies is fatal, because its
 * queue would drop everything unseen.
 */
import { allocateConnections } from "../flow/connection-memory.ts";
import { RampartError, type ErrorCode } from "../errors/rampart-error.ts";
import type { MarkMasks } from "../hooks/marks.ts";
import type { Compilation } from "../tables/compiled.ts";
import { sharedUint8 } from "../tables/shared-arrays.ts";
import type { ConnectionMemory } from "./connection-tracker.ts";
import { WorkerCounters } from "./counters.ts";
import { hitPlaces } from "./hit-counts.ts";
import type { InterfaceMap } from "./interface-map.ts";
import { outcomeReasons } from "./outcome.ts";
import type { Offload, WalkSettings } from "./published.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./protocol.ts";
import { type ReaderHandle, startReader } from "./reader-handle.ts";
import { allocateRing, RecordRing, type RingMemory } from "./record-ring.ts";

const EVENT_RECORDS = 8192;
const TAP_RECORDS = 4096;
const BATCH = 256;
/** A whole batch is answered before anybody else has the core. */
const SECOND_LANE_BATCH = 64;
const PUBLISH_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 2000;
const PROFILE_TIMEOUT_MS = 30_000;

export interface WorkerPoolOptions {
  readonly backend: "native" | "nfqueue";
  readonly firstQueue: number;
  readonly workers: number;
  /** One more reader, of the queue behind the others: hooks/second-lane.ts, denial-pace.ts. */
  readonly secondLane: { readonly maxLength: number; readonly deniedPerSecond: number } | undefined;
  readonly maxLength: number;
  readonly copyRange: number;
  readonly gather: number;
  readonly receiveBuffer: number;
  readonly failOpen: boolean;
  readonly marks: MarkMasks;
  readonly offload: Offload;
  readonly flowCapacity: number;
  readonly recordAccepted: boolean;
  readonly onUnknownInterface: (index: number) => void;
  /** A worker ended on its own. */
  readonly onFatal: (error: Error) => void;
}

/** What one reader has that the others have not. */
interface OwnSetup {
  readonly connections?: ConnectionMemory | undefined;
  readonly maxLength?: number;
  readonly batch?: number;
  readonly deniedPerSecond?: number;
}

interface Member {
  readonly queue: number;
  readonly reader: ReaderHandle;
  readonly counters: WorkerCounters;
  readonly events: RecordRing;
  ruleHits: Float64Array;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members: Member[] = [];
  #tapRings: RecordRing[] = [];
  #closing = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts the threads and binds the queues; throws the first worker's error. */
  async open(): Promise<void> {
    const { workers, offload, firstQueue, flowCapacity, secondLane } = this.#options;
    const blocks = Array.from({ length: offload === "none" ? workers : 0 }, () => allocateConnections(flowCapacity));
    const bound: Promise<unknown>[] = [];
    for (let i = 0; i < workers; i++) {
      const own = blocks[i];
      const connections = own && { own, others: blocks.filter((block) => block !== own) };
      bound.push(this.#startWorker(firstQueue + i, { connections }));
    }
    if (secondLane !== undefined) {
      const { maxLength, deniedPerSecond } = secondLane;
      bound.push(this.#startWorker(firstQueue + workers, { maxLength, deniedPerSecond, batch: SECOND_LANE_BATCH }));
    }
    const failed = (await Promise.allSettled(bound)).find((result) => result.status === "rejected");
    if (failed !== undefined) {
      await this.close();
      throw failed.reason;
    }
  }

  get queues(): readonly { queue: number; counters: WorkerCounters }[] {
    return this.#members;
  }

  /** A count of the tables in force (hit-counts.ts), summed over the workers. */
  ruleHits(place: number): number {
    let hits = 0;
    for (const member of this.#members) hits += member.ruleHits[place] ?? 0;
    return hits;
  }

  /**
   * Puts tables in force in every worker; on return no packet is answered by older ones any more.
   * Returns the final counts of the tables they replace (hit-counts.ts).
   */
  async publish(compilation: Compilation, interfaces: InterfaceMap, settings: WalkSettings): Promise<Float64Array> {
    const ruleReasons = sharedUint8(compilation.rules.map((info) => outcomeReasons.indexOf(info.reason)));
    const { tables } = compilation;
    const retired = await Promise.all(
      this.#members.map(async (member) => {
        const ruleHits = new Float64Array(new SharedArrayBuffer(hitPlaces(tables) * 8));
        const done = this.#reply(member, "published", PUBLISH_TIMEOUT_MS);
        send(member, { type: "publish", published: { tables, interfaces, ...settings, ruleReasons, ruleHits } });
        await done;
        const replaced = member.ruleHits;
        member.ruleHits = ruleHits;
        return replaced;
      }),
    );
    const total = new Float64Array(retired[0]?.length ?? 0);
    for (const hits of retired) hits.forEach((count, place) => (total[place] += count));
    return total;
  }

  setInterfaces(interfaces: InterfaceMap): void {
    for (const member of this.#members) send(member, { type: "interfaces", interfaces });
  }

  /** Starts or ends copying judged packets; while it is off, packets are not looked at for it. */
  setTap(active: boolean): void {
    this.#tapRings = [];
    for (const member of this.#members) {
      const ring: RingMemory | undefined = active ? allocateRing(TAP_RECORDS, this.#options.copyRange) : undefined;
      if (ring !== undefined) this.#tapRings.push(new RecordRing(ring));
      send(member, { type: "tap", ring });
    }
  }

  /** Rings to drain: decisions and Log rules. */
  get eventRings(): readonly RecordRing[] {
    return this.#members.map((member) => member.events);
  }

  get tapRings(): readonly RecordRing[] {
    return this.#tapRings;
  }

  /** Starts taking CPU profiles of every reader's thread. */
  async startProfile(): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#ask(member, { type: "start-profile" }, "profile-started")));
  }

  /** Ends the profiles: by queue, each the text of a .cpuprofile file. */
  async endProfile(): Promise<{ queue: number; json: string }[]> {
    const replies = await Promise.all(
      this.#members.map(async (member) => {
        const reply = await this.#ask(member, { type: "end-profile" }, "profile");
        return { queue: member.queue, json: reply.type === "profile" ? reply.json : "" };
      }),
    );
    return replies.filter(({ json }) => json !== "");
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      this.#members.map(async (member) => {
        const done = this.#reply(member, "closed", CLOSE_TIMEOUT_MS).catch(() => undefined);
        send(member, { type: "close" });
        await done;
        await member.reader.end();
      }),
    );
    this.#members.length = 0;
  }

  async #startWorker(queue: number, own: OwnSetup): Promise<void> {
    const options = this.#options;
    const counters = new WorkerCounters();
    const events = allocateRing(EVENT_RECORDS, 0);
    const setup: WorkerSetup = {
      queue: {
        queue,
        copyRange: options.copyRange,
        gather: options.gather,
        maxLength: own.maxLength ?? options.maxLength,
        receiveBuffer: options.receiveBuffer,
        gso: true,
        failOpen: options.failOpen,
        uidGid: false,
        conntrack: false,
        batch: own.batch ?? BATCH,
      },
      marks: options.marks,
      connections: own.connections,
      flowCapacity: options.flowCapacity,
      deniedPerSecond: own.deniedPerSecond,
      counters: counters.values,
      events,
      recordAccepted: options.recordAccepted,
    };
    const reader = startReader(options.backend, setup);
    const member: Member = { queue, reader, counters, events: new RecordRing(events), ruleHits: new Float64Array(0) };
    const { channel } = reader;
    channel.on("message", (message: FromWorker) => {
      if (message.type === "unknown-interface") options.onUnknownInterface(message.index);
    });
    await this.#reply(member, "bound", PUBLISH_TIMEOUT_MS);
    this.#members.push(member);
    channel.on("error", (error: Error) => this.#fatal(queue, error));
    channel.on("exit", (code: number) => this.#fatal(queue, new Error(`exit code ${code}`)));
  }

  #fatal(queue: number, cause: Error): void {
    if (this.#closing) return;
    this.#options.onFatal(
      new RampartError("RAMPART_E_WORKER", `the reader of queue ${queue} ended: ${cause.message}`, { cause }),
    );
  }

  #ask(member: Member, message: ToWorker, answer: FromWorker["type"]): Promise<FromWorker> {
    const reply = this.#reply(member, answer, PROFILE_TIMEOUT_MS);
    send(member, message);
    return reply;
  }

  /** The next message of the type from this worker. */
  #reply(member: Member, type: FromWorker["type"], timeoutMs: number): Promise<FromWorker> {
    return new Promise((resolve, reject) => {
      const { channel } = member.reader;
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        channel.off("message", onMessage);
        channel.off("error", onError);
        channel.off("exit", onExit);
        act();
      };
      const onMessage = (message: FromWorker): void => {
        if (message.type === type) finish(() => resolve(message));
        else if (message.type === "failed") {
          const options = message.hint === undefined ? {} : { hint: message.hint };
          finish(() => reject(new RampartError(message.code as ErrorCode, message.message, options)));
        }
      };
      const onError = (error: Error): void => finish(() => reject(error));
      const onExit = (): void => finish(() => reject(new Error(`the reader of queue ${member.queue} ended`)));
      const timer = setTimeout(
        () => finish(() => reject(new Error(`the reader of queue ${member.queue} did not answer in ${timeoutMs} ms`))),
        timeoutMs,
      );
      channel.on("message", onMessage);
      channel.on("error", onError);
      channel.on("exit", onExit);
    });
  }
}

function send(member: Member, message: ToWorker): void {
  member.reader.channel.postMessage(message);
}
