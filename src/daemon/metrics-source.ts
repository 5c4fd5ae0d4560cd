/** Gathers what the metrics page shows. */
import type { GaugeName } from "../datapath/counters.ts";
import { HookIndex, hookNames, outcomeReasons, verdictNames } from "../datapath/outcome.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { connectionStages } from "../flow/connection-class.ts";
import { readConntrackUsage } from "../metrics/conntrack-usage.ts";
import type { MetricsSnapshot } from "../metrics/snapshot.ts";
import { readKernelQueues } from "../native/kernel-queues.ts";
import { parseFailureNames } from "../packet/failure.ts";
import { sharedBlocks } from "../tables/shared-arrays.ts";
import { hookAlarms, type HookGuard } from "./hook-guard.ts";
import type { LastGoodStore } from "./last-good-store.ts";
import type { WatchedQueue } from "./queue-watch.ts";
import type { LogOutput } from "./log-output.ts";
import type { RuleHitLedger } from "./rule-hits.ts";
import type { StatusSources } from "./status.ts";
import { version } from "./version.ts";
import type { TapFeed } from "./tap-feed.ts";
import type { UnreadPackets } from "./unread-packets.ts";

export interface MetricsSources extends StatusSources {
  readonly ledger: RuleHitLedger;
  readonly tap: TapFeed | undefined;
  readonly lastGood: LastGoodStore;
  readonly guard: HookGuard;
  readonly watched: readonly WatchedQueue[];
  readonly unread: UnreadPackets | undefined;
  readonly output: LogOutput;
}

export async function readMetrics(sources: MetricsSources): Promise<MetricsSnapshot> {
  const { state, pool, enforcer, installer, ledger, staged, tap, lastGood, guard, trial } = sources;
  const { watched, unread, output } = sources;
  const [conntrack, rules] = await Promise.all([readConntrackUsage(), installer.counters()]);
  const { source } = state.inForce;
  const kernel = new Map(readKernelQueues().map((queue) => [queue.queue, queue]));
  const sum = (gauge: GaugeName): number => pool.queues.reduce((total, { counters }) => total + counters.gauge(gauge), 0);
  return {
    version,
    generation: state.generation,
    ready: state.readiness().ready,
    packets: packetCounts(pool),
    policy: ledger.read(enforcer.current?.compilation, (rule) => pool.ruleHits(rule)),
    staged: staged.read(enforcer.current?.compilation, (place) => pool.ruleHits(place)),
    parseFailures: parseFailureNames.slice(1).map((failure, i) => ({
      failure,
      count: pool.queues.reduce((total, { counters }) => total + counters.parseFailure(i + 1), 0),
    })),
    queues: pool.queues.map(({ queue, counters }) => ({
      queue,
      pending: kernel.get(queue)?.pending,
      kernelDropped: kernel.get(queue)?.kernelDropped,
      userDropped: kernel.get(queue)?.userDropped,
      packets: counters.gauge("packets"),
      batches: counters.gauge("batches"),
      enobufs: counters.gauge("enobufs"),
      truncated: counters.gauge("truncated"),
      malformed: counters.gauge("malformed"),
      verdictErrors: counters.gauge("verdictErrors"),
      unanswered: counters.gauge("unanswered"),
    })),
    canaries: watched,
    returned: sum("returned"),
    tables: { used: sharedBlocks.total - sharedBlocks.free, free: sharedBlocks.free },
    flows: { active: sum("flows"), capacity: sum("flowCapacity"), evicted: sum("flowsEvicted") },
    connections: connectionStages.map((stage) => ({
      stage,
      active: sum(`${stage}Connections`),
      evicted: sum(`${stage}Evicted`),
    })),
    kernelRules: rules.map(({ family, hook, name, packets }) => ({ family, rule: `${hook.toLowerCase()}/${name}`, packets })),
    conntrack,
    unread: unread?.count(rules, sum("packets") + sum("enobufs") + sum("truncated") + sum("malformed")) ?? 0,
    log: { dropped: output.dropped },
    reloads: state.reloads,
    lastReload: { unixSeconds: Date.parse(state.lastReload.at) / 1000, ok: state.lastReload.ok },
    events: { lost: sum("eventsLost") },
    tap: { subscribers: tap?.hub.subscribers ?? 0, lost: sum("tapLost") + (tap?.hub.lost ?? 0) },
    fallback: source === "files" ? undefined : source,
    trial: { secondsLeft: trial.confirmation?.secondsLeft, ended: trial.counts },
    lastGood: { stored: lastGood.current || source === "last-good", failures: lastGood.failures },
    hooks: {
      byCause: hookAlarms.map((cause) => ({
        cause,
        verifications: guard.verifications[cause],
        repairs: guard.repairs[cause],
      })),
      unfilteredSeconds: guard.unfilteredSeconds,
    },
  };
}

type PacketCount = MetricsSnapshot["packets"][number];

function packetCounts(pool: WorkerPool): PacketCount[] {
  const counts: PacketCount[] = [];
  for (const hook of Object.values(HookIndex)) {
    for (let verdict = 0; verdict < verdictNames.length; verdict++) {
      for (let reason = 0; reason < outcomeReasons.length; reason++) {
        const count = pool.queues.reduce((total, { counters }) => total + counters.outcome(hook, verdict, reason), 0);
        if (count === 0) continue;
        const direction = hook === HookIndex.INPUT ? "in" : hook === HookIndex.OUTPUT ? "out" : "forward";
        counts.push({
          hook: hookNames[hook],
          direction,
          verdict: verdictNames[verdict],
          reason: outcomeReasons[reason],
          count,
        });
      }
    }
  }
  return counts;
}
