/** Carries packets from the workers' tap rings to the tap's readers, only while there are any. */
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { loadPacketFilterCompiler } from "../native/load.ts";
import { TapHub } from "../tap/tap-hub.ts";
import { readRecord, type RecordNames } from "./packet-record.ts";

const DRAIN_INTERVAL_MS = 10;
/** Packets handed on a round; what is left waits in the ring, and what finds no room there is counted. */
const ROUND = 4096;

export class TapFeed {
  readonly hub: TapHub;
  readonly #pool: WorkerPool;
  readonly #names: RecordNames;
  #timer: NodeJS.Timeout | undefined;
  #missed = 0;

  constructor(pool: WorkerPool, names: RecordNames) {
    this.#pool = pool;
    this.#names = names;
    this.hub = new TapHub({
      compile: (expression) => loadPacketFilterCompiler().compile(expression),
      onActiveChange: (active) => this.#setActive(active),
    });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #setActive(active: boolean): void {
    clearInterval(this.#timer);
    this.#pool.setTap(active);
    this.#missed = this.#pool.tapRings.reduce((sum, ring) => sum + ring.lost, 0);
    if (active) this.#timer = setInterval(() => this.#drain(), DRAIN_INTERVAL_MS);
  }

  #drain(): void {
    let missed = 0;
    for (const ring of this.#pool.tapRings) {
      missed += ring.lost;
      ring.drain(ROUND, (at) => {
        const record = readRecord(ring, at, this.#names);
        this.hub.publish({
          timestampMicros: Math.round(record.time * 1000),
          hook: record.hook,
          inInterface: record.inInterface,
          outInterface: record.outInterface,
          direction: record.reply ? "reply" : "original",
          verdict: record.verdict === "return" ? "accept" : record.verdict,
          reason: record.reason,
          endpoint: record.endpoint,
          tier: record.tier,
          policy: record.policy,
          rule: record.rule,
          pending: record.pending,
          generation: record.generation,
          bytes: ring.payload(at),
          originalLength: record.originalLength,
        });
      });
    }
    if (missed > this.#missed) this.hub.missed(missed - this.#missed);
    this.#missed = missed;
  }
}
