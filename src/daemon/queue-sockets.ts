/**
 * Where the sockets of the queues come from at a start: they are new, or the
 * service manager has kept them (descriptor-store.ts), or a daemon that runs
 * hands them over (handover-taking.ts). And where they go at a stop.
 */
import { closeSync } from "node:fs";
import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { NativeBinding } from "../native/binding.ts";
import { DescriptorStore } from "./descriptor-store.ts";
import { HandoverTaking } from "./handover-taking.ts";

export interface QueueSocketsOptions {
  readonly native: NativeBinding;
  readonly log: Logger;
  readonly pool: WorkerPool;
  readonly settings: Settings;
}

export class QueueSockets {
  readonly #options: QueueSocketsOptions;
  readonly #store: DescriptorStore;
  #taking: HandoverTaking | undefined;

  constructor(options: QueueSocketsOptions) {
    this.#options = options;
    this.#store = new DescriptorStore(options.native, options.settings.queue.failOpen);
  }

  /** Between `beginTakeover`, where a daemon runs, and `finish`. */
  get takingOver(): boolean {
    return this.#taking !== undefined;
  }

  /** Where a daemon runs, it changes nothing any more until we have taken over or failed. */
  async beginTakeover(): Promise<void> {
    const { native, settings } = this.#options;
    this.#taking = await HandoverTaking.begin(native, settings.control.socket);
    if (this.#taking === undefined || settings.queue.backend === "native") return;
    throw new RampartError("RAMPART_E_HANDOVER", "queue.backend is nfqueue, which cannot take queues over", {
      hint: "stop the daemon that runs, then start this one",
    });
  }

  /** A start that takes nothing over: binds the queues, or gets them back from the service manager. */
  async bind(): Promise<void> {
    const { pool, settings, log } = this.#options;
    const kept = this.#store.take();
    const usable = settings.queue.backend === "native" ? kept : new Map<number, number>();
    await pool.bind(usable);
    this.#closeUnused(kept);
    if (usable.size > 0) log.info({ queues: [...usable.keys()] }, "the service manager has kept the queues");
  }

  /** In a takeover, once the workers have tables: they read as soon as they have the queues. */
  async takeOver(): Promise<void> {
    const { pool, log, settings } = this.#options;
    if (this.#taking === undefined || pool.descriptors.size > 0) return;
    const began = performance.now();
    const { sockets, connections } = await this.#taking.queues(settings.established);
    await pool.bind(sockets, this.#sameReaders(sockets) ? connections : undefined);
    const unreadMs = Math.round((performance.now() - began) * 10) / 10;
    this.#closeUnused(sockets);
    this.#store.inherit(sockets.keys());
    log.info({ queues: [...sockets.keys()], unreadMs }, "took the queues over");
  }

  /** In a takeover: the policy is in force, and the other process ends. */
  async finish(): Promise<void> {
    await this.#taking?.done();
    this.#taking = undefined;
  }

  /** A start has failed: the other process goes on. This one reads no queue any more. */
  async abandonTakeover(): Promise<void> {
    await this.#taking?.abandon();
  }

  /** The policy is in force: should this process end, packets wait for the next one, unless fail-open forbids it. */
  keep(): void {
    this.#store.keep(this.#options.pool.descriptors);
  }

  /** Before a stop, which may be half of a restart. */
  keepForRestart(): void {
    this.#store.keepForRestart(this.#options.pool.descriptors);
  }

  /** Whether the kernel gives each queue the packets it gave it before: it spreads them by the number of queues. */
  #sameReaders(sockets: ReadonlyMap<number, number>): boolean {
    const { pool } = this.#options;
    return sockets.size === pool.queues.length && pool.queues.every(({ queue }) => sockets.has(queue));
  }

  /** Closes sockets of queues that the settings name no more. */
  #closeUnused(sockets: ReadonlyMap<number, number>): void {
    const used = this.#options.pool.descriptors;
    for (const [queue, descriptor] of sockets) if (used.get(queue) !== descriptor) closeSync(descriptor);
  }
}
