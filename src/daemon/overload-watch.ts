/**
 * Says in the log what is lost because something is full: a queue, a socket's
 * buffer, the connection table, the ring behind the decision log, the log
 * itself. Each once when it begins and then once a minute while it goes on,
 * with how much it was since the last line. The same numbers are metrics.
 */
import type { Logger } from "pino";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { type ConntrackUsage, readConntrackUsage } from "../metrics/conntrack-usage.ts";
import { type KernelQueue, readKernelQueues } from "../native/kernel-queues.ts";
import type { LogOutput } from "./log-output.ts";

const INTERVAL_MS = 1000;
const REPEAT_MS = 60_000;
/** Part of the connection table that is worth a line. */
const NEARLY_FULL = 0.9;

export interface OverloadSources {
  readonly log: Logger;
  readonly output: Pick<LogOutput, "dropped">;
  readonly pool: Pick<WorkerPool, "queues">;
  /** The kernel's; ours are the readers of /proc unless a test says otherwise. */
  readonly kernelQueues?: () => readonly KernelQueue[];
  readonly conntrack?: () => Promise<ConntrackUsage | undefined>;
}

type Fields = Readonly<Record<string, number>>;

interface Report {
  /** Of the counter, when the last line was written. */
  count: number;
  at: number;
}

export class OverloadWatch {
  readonly #sources: OverloadSources;
  readonly #reports = new Map<string, Report>();
  #timer: NodeJS.Timeout | undefined;

  constructor(sources: OverloadSources) {
    this.#sources = sources;
  }

  /** Right after the queues were bound, when they have lost nothing. */
  start(): void {
    void this.look(performance.now());
    this.#timer = setInterval(() => void this.look(performance.now()), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Compares every counter with the last look; `now` in monotonic milliseconds. Never throws. */
  async look(now: number): Promise<void> {
    const { pool, output, kernelQueues = readKernelQueues, conntrack = readConntrackUsage } = this.#sources;
    const kernel = kernelQueues();
    for (const { queue, counters } of pool.queues) {
      const full = kernel.find((each) => each.queue === queue)?.kernelDropped ?? 0;
      this.#grown(now, "queue-full", full, "packets lost: the queue is full", { queue });
      const unread = counters.gauge("enobufs");
      this.#grown(now, "receive-buffer-full", unread, "packets lost: the socket's buffer is full", { queue });
      const events = counters.gauge("eventsLost");
      this.#grown(now, "events-lost", events, "decisions not logged: they came too fast, and were judged", { queue });
    }
    const usage = await conntrack();
    if (usage !== undefined) this.#conntrack(now, usage);
    this.#grown(now, "log-full", output.dropped, "log lines lost: whoever reads the log is too slow", {});
  }

  #conntrack(now: number, { entries, max, dropped = 0 }: ConntrackUsage): void {
    const text = "new connections lost: the kernel's connection table is full (net.netfilter.nf_conntrack_max)";
    this.#grown(now, "conntrack-full", dropped, text, { entries, max });
    if (entries <= max * NEARLY_FULL) return;
    const report = this.#reports.get("conntrack-nearly-full");
    if (report !== undefined && now - report.at < REPEAT_MS) return;
    this.#reports.set("conntrack-nearly-full", { count: entries, at: now });
    const fields = { code: "RAMPART_W_OVERLOAD", overload: "conntrack-nearly-full", entries, max };
    this.#sources.log.warn(fields, "the kernel's connection table is nearly full (net.netfilter.nf_conntrack_max)");
  }

  /** A line where the counter has grown and it is time for one. What was counted before the first look is no news. */
  #grown(now: number, overload: string, count: number, message: string, fields: Fields): void {
    const key = `${overload} ${fields["queue"] ?? ""}`;
    const report = this.#reports.get(key);
    if (report === undefined || count < report.count) {
      this.#reports.set(key, { count, at: -Infinity });
      return;
    }
    if (count === report.count || now - report.at < REPEAT_MS) return;
    const { log, output } = this.#sources;
    const before = output.dropped;
    log.warn({ code: "RAMPART_W_OVERLOAD", overload, ...fields, lost: count - report.count }, message);
    // A line that was lost itself has told nobody.
    if (output.dropped === before) this.#reports.set(key, { count, at: now });
  }
}
