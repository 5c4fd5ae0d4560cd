/**
 * The Prometheus registry. Nothing is counted here: every metric is filled
 * from a snapshot at scrape time, so the packet path pays nothing for metrics
 * and one page always shows one moment.
 */
import { Counter, Gauge, Registry, collectDefaultMetrics } from "prom-client";
import type { MetricsSnapshot } from "./snapshot.ts";

type Row = readonly [value: number | undefined, labels?: Readonly<Record<string, string | number>>];

interface Definition {
  readonly type: "counter" | "gauge";
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly rows: (snapshot: MetricsSnapshot) => readonly Row[];
}

/** A registry whose pages are made from `read`'s snapshot and the process's own metrics; it fails if `read` fails. */
export function createRegistry(read: () => Promise<MetricsSnapshot>): Registry {
  const registry = new SnapshotRegistry(read);
  collectDefaultMetrics({ register: registry });
  return registry;
}

class SnapshotRegistry extends Registry {
  readonly #read: () => Promise<MetricsSnapshot>;
  readonly #fill: readonly ((snapshot: MetricsSnapshot) => void)[];

  constructor(read: () => Promise<MetricsSnapshot>) {
    super();
    this.#read = read;
    this.#fill = DEFINITIONS.map((definition) => this.#define(definition));
  }

  override async metrics(): Promise<string> {
    const snapshot = await this.#read();
    for (const fill of this.#fill) fill(snapshot);
    return super.metrics();
  }

  #define({ type, name, help, labels = [], rows }: Definition): (snapshot: MetricsSnapshot) => void {
    const options = { name, help, labelNames: labels, registers: [this] };
    const metric = type === "counter" ? new Counter(options) : new Gauge(options);
    return (snapshot) => {
      metric.reset();
      for (const [value, rowLabels] of rows(snapshot)) {
        if (value === undefined) metric.remove({});
        else if (rowLabels === undefined) metric.inc(value);
        else metric.inc(rowLabels, value);
      }
    };
  }
}

/** Only these fields: a label the metric does not have would fail the whole page. */
function pick<T, K extends keyof T>(row: T, fields: readonly K[]): Pick<T, K> {
  return Object.fromEntries(fields.map((field) => [field, row[field]])) as Pick<T, K>;
}

function queueMetric(
  type: "counter" | "gauge",
  name: string,
  help: string,
  field: Exclude<keyof MetricsSnapshot["queues"][number], "queue">,
): Definition {
  const rows = (s: MetricsSnapshot): Row[] => {
    const known = s.queues.filter((queue) => queue[field] !== undefined);
    return known.map((queue) => [queue[field], { queue: queue.queue }]);
  };
  return { type, name: `rampart_queue_${name}`, help, labels: ["queue"], rows };
}

const STARTUP_MODES = ["closed", "open"] as const;

const STAGED_LABELS = ["direction", "tier", "policy", "rule", "enforced", "pending"] as const;

const DEFINITIONS: readonly Definition[] = [
  {
    type: "gauge",
    name: "rampart_build_info",
    help: "Always 1; the label is the daemon's version.",
    labels: ["version"],
    rows: (s) => [[1, { version: s.version }]],
  },
  {
    type: "gauge",
    name: "rampart_generation",
    help: "Policy generation in force; it changes with every reload that changes something, and wraps.",
    rows: (s) => [[s.generation]],
  },
  {
    type: "gauge",
    name: "rampart_ready",
    help: "1 when the hooks are in place and every queue is served.",
    rows: (s) => [[Number(s.ready)]],
  },
  {
    type: "counter",
    name: "rampart_packets_total",
    help: "Packets judged in userspace, by what became of them. Packets of the kernel fast path are not among them.",
    labels: ["hook", "direction", "verdict", "reason"],
    rows: (s) => s.packets.map((p) => [p.count, pick(p, ["hook", "direction", "verdict", "reason"])]),
  },
  {
    type: "counter",
    name: "rampart_policy_packets_total",
    help: "Packets decided by a policy rule, or by the end of a tier, whose policy label is empty.",
    labels: ["direction", "tier", "policy", "rule", "action"],
    rows: (s) => s.policy.map((p) => [p.count, pick(p, ["direction", "tier", "policy", "rule", "action"])]),
  },
  {
    type: "counter",
    name: "rampart_staged_decisions_total",
    help: "Decisions on new connections that staged policies would have made or changed; never enforced.",
    labels: STAGED_LABELS,
    rows: (s) => s.staged.map((p) => [p.count, pick(p, STAGED_LABELS)]),
  },
  {
    type: "counter",
    name: "rampart_parse_failures_total",
    help: "Packets whose headers could not be read; each was dropped.",
    labels: ["failure"],
    rows: (s) => s.parseFailures.map(({ count, failure }) => [count, { failure }]),
  },
  queueMetric("counter", "packets_total", "Packets read from the queue.", "packets"),
  queueMetric("counter", "batches_total", "Batches in which they were read.", "batches"),
  queueMetric("gauge", "pending_packets", "Packets in the kernel's queue, waiting for a verdict.", "pending"),
  queueMetric("counter", "kernel_dropped_total", "Packets the kernel dropped: queue full.", "kernelDropped"),
  queueMetric("counter", "user_dropped_total", "Packets the kernel dropped: socket buffer full.", "userDropped"),
  queueMetric("counter", "enobufs_total", "Reads that found the socket buffer had overflowed.", "enobufs"),
  queueMetric("counter", "truncated_total", "Messages longer than their slot.", "truncated"),
  queueMetric("counter", "malformed_total", "Messages without a usable packet.", "malformed"),
  queueMetric("counter", "verdict_errors_total", "Verdicts the kernel did not take.", "verdictErrors"),
  queueMetric("counter", "unanswered_total", "Packets dropped because a batch failed to judge them.", "unanswered"),
  {
    type: "gauge",
    name: "rampart_canary_round_trip_seconds",
    help: "From sending a packet of our own through the queue to its reader, the last time one came back.",
    labels: ["queue"],
    rows: (s) => s.canaries.flatMap(({ queue, roundTripSeconds: seconds }) => (seconds === undefined ? [] : [[seconds, { queue }]])),
  },
  {
    type: "counter",
    name: "rampart_canary_missed_total",
    help: "Packets of our own through the queue that did not come back before the next one was due.",
    labels: ["queue"],
    rows: (s) => s.canaries.map(({ queue, missed }) => [missed, { queue }]),
  },
  {
    type: "gauge",
    name: "rampart_queue_heartbeat_age_seconds",
    help: "Since the thread that reads the queue last said it was alive, which it does four times a second.",
    labels: ["queue"],
    rows: (s) => s.canaries.map(({ queue, heartbeatAgeSeconds }) => [heartbeatAgeSeconds, { queue }]),
  },
  {
    type: "counter",
    name: "rampart_returned_packets_total",
    help: "Packets that came back with a verdict already on them, because the hooks were not in place.",
    rows: (s) => [[s.returned]],
  },
  {
    type: "gauge",
    name: "rampart_tables_bytes",
    help: "Memory of policy tables, by whether it is in use or waits for the next ones.",
    labels: ["state"],
    rows: (s) => [[s.tables.used, { state: "used" }], [s.tables.free, { state: "free" }]],
  },
  {
    type: "gauge",
    name: "rampart_flows",
    help: "Decided flows held in userspace.",
    rows: (s) => [[s.flows.active]],
  },
  {
    type: "gauge",
    name: "rampart_flows_capacity",
    help: "Decided flows that can be held.",
    rows: (s) => [[s.flows.capacity]],
  },
  {
    type: "counter",
    name: "rampart_flows_evicted_total",
    help: "Flows forgotten to make room; their next packet is judged again.",
    rows: (s) => [[s.flows.evicted]],
  },
  {
    type: "gauge",
    name: "rampart_connections",
    help: "With datapath.offload none: connections tracked in userspace, by stage.",
    labels: ["stage"],
    rows: (s) => s.connections.map(({ stage, active }) => [active, { stage }]),
  },
  {
    type: "counter",
    name: "rampart_connections_evicted_total",
    help: "With datapath.offload none: connections forgotten to make room, by their stage.",
    labels: ["stage"],
    rows: (s) => s.connections.map(({ stage, evicted }) => [evicted, { stage }]),
  },
  {
    type: "counter",
    name: "rampart_kernel_rule_packets_total",
    help: "Packets Rampart's own kernel rules handled, by rule: fast path, failsafe, invalid and so on.",
    labels: ["family", "rule"],
    rows: (s) => s.kernelRules.map(({ packets, family, rule }) => [packets, { family: `ipv${family}`, rule }]),
  },
  {
    type: "gauge",
    name: "rampart_conntrack_entries",
    help: "Connections the kernel tracks.",
    rows: (s) => [[s.conntrack?.entries]],
  },
  {
    type: "gauge",
    name: "rampart_conntrack_entries_max",
    help: "Connections the kernel can track; when it is full, new connections are dropped before any rule.",
    rows: (s) => [[s.conntrack?.max]],
  },
  {
    type: "counter",
    name: "rampart_conntrack_dropped_total",
    help: "Packets of new connections the kernel dropped, before any rule, because its table was full.",
    rows: (s) => [[s.conntrack?.dropped]],
  },
  {
    type: "counter",
    name: "rampart_conntrack_evicted_total",
    help: "Connections without an answer that the kernel gave up for new ones, because its table was full.",
    rows: (s) => [[s.conntrack?.evicted]],
  },
  {
    type: "counter",
    name: "rampart_conntrack_insert_failed_total",
    help: "Packets the kernel dropped because their connection could not be entered into its table.",
    rows: (s) => [[s.conntrack?.insertFailed]],
  },
  {
    type: "gauge",
    name: "rampart_unread_packets",
    help: "Packets Rampart's kernel rules have queued and no reader has seen: waiting, or lost to a full queue. Estimated.",
    rows: (s) => [[s.unread]],
  },
  {
    type: "counter",
    name: "rampart_log_dropped_total",
    help: "Log lines that were dropped because whoever reads the log is too slow.",
    rows: (s) => [[s.log.dropped]],
  },
  {
    type: "counter",
    name: "rampart_reloads_total",
    help: "Policy reloads. A failed one leaves the running policy in force.",
    labels: ["result"],
    rows: (s) => [
      [s.reloads.ok, { result: "ok" }],
      [s.reloads.failed, { result: "failed" }],
    ],
  },
  {
    type: "gauge",
    name: "rampart_last_reload_timestamp_seconds",
    help: "When the policy was last read, Unix time.",
    rows: (s) => [[s.lastReload.unixSeconds]],
  },
  {
    type: "gauge",
    name: "rampart_last_reload_successful",
    help: "1 when the last reload took effect.",
    rows: (s) => [[Number(s.lastReload.ok)]],
  },
  {
    type: "counter",
    name: "rampart_events_lost_total",
    help: "Decision events lost to the log and the tap because they came too fast; never a verdict.",
    rows: (s) => [[s.events.lost]],
  },
  {
    type: "gauge",
    name: "rampart_tap_subscribers",
    help: "Running `rampart tap` commands.",
    rows: (s) => [[s.tap.subscribers]],
  },
  {
    type: "counter",
    name: "rampart_tap_lost_total",
    help: "Packets that slow `rampart tap` commands did not see.",
    rows: (s) => [[s.tap.lost]],
  },
  {
    type: "counter",
    name: "rampart_hooks_repaired_total",
    help: "Times the kernel rules had been changed by somebody else and were put back, by how it was noticed.",
    labels: ["cause"],
    rows: (s) => s.hooks.byCause.map(({ cause, repairs }) => [repairs, { cause }]),
  },
  {
    type: "counter",
    name: "rampart_hook_verifications_total",
    help: "Times the kernel rules were compared with what they should be, by what led to it.",
    labels: ["cause"],
    rows: (s) => s.hooks.byCause.map(({ cause, verifications }) => [verifications, { cause }]),
  },
  {
    type: "counter",
    name: "rampart_hooks_unfiltered_seconds_total",
    help: "Time from a foreign change, or the last look before it, to repaired kernel rules, all repairs added up.",
    rows: (s) => [[s.hooks.unfilteredSeconds]],
  },
  {
    type: "gauge",
    name: "rampart_last_good_in_force",
    help: "1 when the policy files had errors at the start and the last good set is enforced in their place.",
    rows: (s) => [[Number(s.fallback === "last-good")]],
  },
  {
    type: "gauge",
    name: "rampart_startup_in_force",
    help: "1 when the policy files had errors at the start and there was no last good set: the setting startup holds.",
    labels: ["startup"],
    rows: (s) => STARTUP_MODES.map((startup) => [Number(s.fallback === startup), { startup }]),
  },
  {
    type: "gauge",
    name: "rampart_last_good_stored",
    help: "1 when the policy set in force is kept on disk for a start with broken files.",
    rows: (s) => [[Number(s.lastGood.stored)]],
  },
  {
    type: "counter",
    name: "rampart_last_good_failures_total",
    help: "Policy sets that were enforced but could not be kept on disk.",
    rows: (s) => [[s.lastGood.failures]],
  },
  {
    type: "gauge",
    name: "rampart_confirmation_seconds_left",
    help: "Time left to confirm the policy set that is in force on trial; absent when there is none.",
    rows: (s) => [[s.trial.secondsLeft]],
  },
  {
    type: "counter",
    name: "rampart_trials_total",
    help: "Policy sets applied on trial, by how that ended: confirmed, rolled back when asked, or when the time was up.",
    labels: ["outcome"],
    rows: (s) => [
      [s.trial.ended.confirmed, { outcome: "confirmed" }],
      [s.trial.ended.asked, { outcome: "rolled-back" }],
      [s.trial.ended.expired, { outcome: "expired" }],
    ],
  },
];
