/**
 * The main thread's side of the workers: one thread and one queue each, or one
 * reader in the main thread itself (reader-handle.ts). A publish is done when
 * every worker has acknowledged it; a worker that dies is fatal, because its
 * queue would drop everything unseen.
 */
import { allocateConnections } from "../flow/connection-memory.ts";
import { RampartError, type ErrorCode } from "../errors/rampart-error.ts";
import type { MarkMasks } from "../hooks/marks.ts";
import type { Compilation, CompiledTables } from "../tables/compiled.ts";
import { sharedFloat64, sharedUint8 } from "../tables/shared-arrays.ts";
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
  readonly canaryNonce: Uint8Array;
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

interface HandedOut {
  readonly tables: CompiledTables;
  readonly ruleReasons: Uint8Array;
  readonly ruleHits: Float64Array[];
}

interface Member {
  readonly queue: number;
  readonly reader: ReaderHandle;
  readonly counters: WorkerCounters;
  readonly events: RecordRing;
  readonly connections: SharedArrayBuffer | undefined;
  descriptor: number | undefined;
  tap: RingMemory | undefined;
  ruleHits: Float64Array;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members: Member[] = [];
  /** What workers may be reading or writing, the latest last; its memory is not to be used again. */
  readonly #handedOut: HandedOut[] = [];
  #tapRings: RecordRing[] = [];
  #closing = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts the threads; they take tables, and have no queue before `bind`. */
  start(): void {
    const { workers, offload, firstQueue, flowCapacity, secondLane } = this.#options;
    const blocks = Array.from({ length: offload === "none" ? workers : 0 }, () => allocateConnections(flowCapacity));
    for (let i = 0; i < workers; i++) {
      const own = blocks[i];
      const connections = own && { own, others: blocks.filter((block) => block !== own) };
      this.#members.push(this.#startWorker(firstQueue + i, { connections }));
    }
    if (secondLane !== undefined) {
      const { maxLength, deniedPerSecond } = secondLane;
      const own = { maxLength, deniedPerSecond, batch: SECOND_LANE_BATCH };
      this.#members.push(this.#startWorker(firstQueue + workers, own));
    }
  }

  /**
   * Binds the queues, or takes over those that came with a descriptor of their socket, and connections that their
   * readers had (flow/connection-records.ts); both by queue number. Throws the first worker's error. Workers that have
   * tables begin to read.
   */
  async bind(
    inherited: ReadonlyMap<number, number> = new Map(),
    connections: ReadonlyMap<number, Uint32Array> = new Map(),
  ): Promise<void> {
    const bound = this.#members.map((member) => {
      return this.#bind(member, inherited.get(member.queue), connections.get(member.queue));
    });
    const failed = (await Promise.allSettled(bound)).find((result) => result.status === "rejected");
    if (failed !== undefined) {
      await this.close();
      throw failed.reason;
    }
  }

  /** Descriptors of the queues' sockets, by queue number; none for a backend whose sockets cannot be handed over. */
  get descriptors(): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const { queue, descriptor } of this.#members) if (descriptor !== undefined) found.set(queue, descriptor);
    return found;
  }

  /** Without offload: where the connections of each queue are, by queue number. */
  get connections(): ReadonlyMap<number, SharedArrayBuffer> {
    const found = new Map<number, SharedArrayBuffer>();
    for (const { queue, connections } of this.#members) if (connections !== undefined) found.set(queue, connections);
    return found;
  }

  /** On return every packet read has its verdict and nothing is read any more, until `resume`. */
  async pause(): Promise<void> {
    await Promise.all(this.#members.map((member) => this.#ask(member, { type: "pause" }, "paused", PUBLISH_TIMEOUT_MS)));
  }

  /** Reads on after `pause`. */
  resume(): void {
    for (const member of this.#members) send(member, { type: "resume" });
  }

  get queues(): readonly { queue: number; counters: WorkerCounters }[] {
    return this.#members;
  }

  /** The workers' connection tables (flow/connection-memory.ts), to read only; none with offload. */
  get connectionMemory(): readonly SharedArrayBuffer[] {
    return this.#members.flatMap(({ connections }) => connections ?? []);
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
    const handedOut: HandedOut = { tables, ruleReasons, ruleHits: [] };
    this.#handedOut.push(handedOut);
    const retired = await Promise.all(
      this.#members.map(async (member) => {
        const ruleHits = sharedFloat64(hitPlaces(tables));
        handedOut.ruleHits.push(ruleHits);
        const published = { tables, interfaces, ...settings, ruleReasons, ruleHits };
        await this.#ask(member, { type: "publish", published }, "published", PUBLISH_TIMEOUT_MS);
        const replaced = member.ruleHits;
        member.ruleHits = ruleHits;
        return replaced;
      }),
    );
    // All have answered this one, so they are done with those before it.
    this.#handedOut.splice(0, this.#handedOut.indexOf(handedOut));
    const total = new Float64Array(retired[0]?.length ?? 0);
    for (const hits of retired) hits.forEach((count, place) => (total[place] += count));
    return total;
  }

  setInterfaces(interfaces: InterfaceMap): void {
    for (const member of this.#members) send(member, { type: "interfaces", interfaces });
  }

  /**
   * Starts or ends copying judged packets; while it is off, packets are not looked at for it. A worker has the same ring
   * every time: one it was handed once is never freed there (tables/shared-blocks.ts).
   */
  setTap(active: boolean): void {
    this.#tapRings = [];
    for (const member of this.#members) {
      if (active) {
        member.tap ??= allocateRing(TAP_RECORDS, this.#options.copyRange);
        const ring = new RecordRing(member.tap);
        ring.skip();
        this.#tapRings.push(ring);
      }
      send(member, { type: "tap", ring: active ? member.tap : undefined });
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
    await Promise.all(this.#members.map((member) => this.#ask(member, { type: "start-profile" }, "profile-started", PROFILE_TIMEOUT_MS)));
  }

  /** Ends the profiles: by queue, each the text of a .cpuprofile file. */
  async endProfile(): Promise<{ queue: number; json: string }[]> {
    const replies = await Promise.all(
      this.#members.map(async (member) => {
        const reply = await this.#ask(member, { type: "end-profile" }, "profile", PROFILE_TIMEOUT_MS);
        return { queue: member.queue, json: reply.type === "profile" ? reply.json : "" };
      }),
    );
    return replies.filter(({ json }) => json !== "");
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      this.#members.map(async (member) => {
        await this.#ask(member, { type: "close" }, "closed", CLOSE_TIMEOUT_MS).catch(() => undefined);
        await member.reader.end();
      }),
    );
    this.#members.length = 0;
  }

  #startWorker(queue: number, own: OwnSetup): Member {
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
      canaryNonce: options.canaryNonce,
      connections: own.connections,
      flowCapacity: options.flowCapacity,
      deniedPerSecond: own.deniedPerSecond,
      counters: counters.values,
      events,
      recordAccepted: options.recordAccepted,
    };
    const reader = startReader(options.backend, setup);
    reader.channel.on("message", (message: FromWorker) => {
      if (message.type === "unknown-interface") options.onUnknownInterface(message.index);
    });
    return {
      queue,
      reader,
      counters,
      events: new RecordRing(events),
      connections: own.connections?.own,
      descriptor: undefined,
      tap: undefined,
      ruleHits: new Float64Array(0),
    };
  }

  async #bind(member: Member, descriptor: number | undefined, connections: Uint32Array | undefined): Promise<void> {
    const { queue, reader: { channel } } = member;
    try {
      const bound = await this.#ask(member, { type: "open", descriptor, connections }, "bound", PUBLISH_TIMEOUT_MS);
      if (bound.type === "bound") member.descriptor = bound.descriptor;
    } catch (error) {
      // Its thread ends by itself, and answers nothing any more.
      this.#members.splice(this.#members.indexOf(member), 1);
      throw error;
    }
    channel.on("error", (error: Error) => this.#fatal(queue, error));
    channel.on("exit", (code: number) => this.#fatal(queue, new Error(`exit code ${code}`)));
  }

  #fatal(queue: number, cause: Error): void {
    if (this.#closing) return;
    this.#options.onFatal(
      new RampartError("RAMPART_E_WORKER", `the reader of queue ${queue} ended: ${cause.message}`, { cause }),
    );
  }

  #ask(member: Member, message: ToWorker, answer: FromWorker["type"], timeoutMs: number): Promise<FromWorker> {
    const reply = this.#reply(member, answer, timeoutMs);
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
  member.reader.post(message);
}
