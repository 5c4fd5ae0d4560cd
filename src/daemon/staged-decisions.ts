/**
 * Pending decisions (policy/pending.ts) by what would have decided and what
 * was enforced instead, over all generations: rule ids change with every
 * compilation, names do not. Only what tells something of staged policies is
 * kept: decisions that a staged policy would have made, and decisions that
 * would have been others.
 */
import { eachPending, type DecisionName } from "../datapath/hit-counts.ts";
import type { MetricsSnapshot } from "../metrics/snapshot.ts";
import { isStagedLabel } from "../policy/policy-label.ts";
import type { Compilation, RuleInfo } from "../tables/compiled.ts";

/** Names kept of policies that are no longer loaded. */
const MAX_RETIRED = 50_000;

type StagedCount = MetricsSnapshot["staged"][number];

/** Decisions that staged policies would have turned round. */
export interface StagedChanges {
  readonly wouldDeny: number;
  readonly wouldAllow: number;
}

export class StagedDecisionLedger {
  readonly #retired = new Map<string, StagedCount>();

  /** Keeps the final counts of tables that were replaced; `hits` as hit-counts.ts lays them out. */
  retire({ tables, rules }: Compilation, hits: Float64Array): void {
    const count = (place: number): number => hits[place] ?? 0;
    eachPending(tables, count, (rule, enforced, decisions) => {
      add(this.#retired, rules[rule], enforced, decisions, MAX_RETIRED);
    });
  }

  /** All counts, with those of the tables in force added. */
  read(compilation: Compilation | undefined, hits: (place: number) => number): StagedCount[] {
    if (compilation === undefined) return [...this.#retired.values()];
    const total = new Map(this.#retired);
    eachPending(compilation.tables, hits, (rule, enforced, decisions) => {
      add(total, compilation.rules[rule], enforced, decisions, Infinity);
    });
    return [...total.values()];
  }
}

export function stagedChanges(counts: readonly StagedCount[]): StagedChanges {
  let wouldDeny = 0;
  let wouldAllow = 0;
  for (const { enforced, pending, count } of counts) {
    if (pending === "deny" && enforced !== "deny") wouldDeny += count;
    if (enforced === "deny" && pending !== "deny") wouldAllow += count;
  }
  return { wouldDeny, wouldAllow };
}

function add(to: Map<string, StagedCount>, info: RuleInfo, enforced: DecisionName, count: number, room: number): void {
  const { direction, verdict: pending } = info;
  const policy = info.rule?.policy ?? info.staged ?? "";
  const changes = (enforced === "deny") !== (pending === "deny");
  if (!changes && !isStagedLabel(policy)) return;
  const rule = info.rule?.index ?? info.reason;
  const tier = info.tier ?? "";
  const key = [direction, tier, policy, rule, enforced, pending].join("|");
  const known = to.get(key);
  if (known === undefined && to.size >= room) return;
  to.set(key, { direction, tier, policy, rule, enforced, pending, count: (known?.count ?? 0) + count });
}
