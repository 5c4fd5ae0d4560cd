/** The answer of the control method "status". */
import type { DaemonStatus } from "../control/status.ts";
import { HookIndex, OutcomeVerdict, outcomeReasons } from "../datapath/outcome.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import type { HookInstaller } from "../hooks/apply.ts";
import { readKernelQueues } from "../native/kernel-queues.ts";
import type { Enforcer } from "./enforcer.ts";
import { stagedChanges, type StagedDecisionLedger } from "./staged-decisions.ts";
import type { DaemonState } from "./state.ts";
import type { Trial } from "./trial.ts";
import { version } from "./version.ts";

export interface StatusSources {
  readonly state: DaemonState;
  readonly pool: WorkerPool;
  readonly enforcer: Enforcer;
  readonly installer: HookInstaller;
  readonly staged: StagedDecisionLedger;
  readonly trial: Trial;
}

export async function readStatus({ state, pool, enforcer, installer, staged, trial }: StatusSources): Promise<DaemonStatus> {
  const stagedCounts = staged.read(enforcer.current?.compilation, (place) => pool.ruleHits(place));
  const kernel = new Map(readKernelQueues().map((queue) => [queue.queue, queue]));
  return {
    version,
    pid: process.pid,
    node: state.settings.node,
    state: state.phase,
    uptimeSeconds: Math.round(state.uptimeSeconds),
    generation: state.generation,
    failOpen: state.settings.queue.failOpen,
    policies: state.policies,
    staged: { policies: state.stagedPolicies, ...stagedChanges(stagedCounts) },
    endpoints: state.endpoints,
    hooks: {
      variant: installer.variant ?? state.settings.iptables.variant,
      families: installer.families.map((family) => `IPv${family}`),
      problems: [...state.hookProblems],
    },
    queues: pool.queues.map(({ queue, counters }) => ({
      queue,
      packets: counters.gauge("packets"),
      pending: kernel.get(queue)?.pending ?? null,
      kernelDropped: kernel.get(queue)?.kernelDropped ?? null,
      userDropped: kernel.get(queue)?.userDropped ?? null,
      enobufs: counters.gauge("enobufs"),
    })),
    packets: {
      accepted: sumVerdict(pool, OutcomeVerdict.ACCEPT) + sumVerdict(pool, OutcomeVerdict.RETURN),
      dropped: sumVerdict(pool, OutcomeVerdict.DROP),
      rejected: sumVerdict(pool, OutcomeVerdict.REJECT),
    },
    flows: pool.queues.reduce((sum, { counters }) => sum + counters.gauge("flows"), 0),
    lastReload: state.lastReload,
    inForce: state.inForce,
    ...(trial.confirmation === undefined ? {} : { confirmation: trial.confirmation }),
    warnings: [...state.warnings],
  };
}

function sumVerdict(pool: WorkerPool, verdict: number): number {
  let sum = 0;
  for (const { counters } of pool.queues) {
    for (const hook of Object.values(HookIndex)) {
      for (let reason = 0; reason < outcomeReasons.length; reason++) sum += counters.outcome(hook, verdict, reason);
    }
  }
  return sum;
}
