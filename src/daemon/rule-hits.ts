/**
 * Packets by policy rule, over all generations: rule ids change with every
 * compilation, names do not. Policies that are gone keep their last count for
 * as long as the bound on names allows.
 */
import type { MetricsSnapshot } from "../metrics/snapshot.ts";
import type { Compilation, RuleInfo } from "../tables/compiled.ts";

/** Names kept of policies that are no longer loaded. */
const MAX_RETIRED = 50_000;

type PolicyCount = MetricsSnapshot["policy"][number];
type PolicyRule = Omit<PolicyCount, "count">;

export class RuleHitLedger {
  readonly #retired = new Map<string, PolicyCount>();

  /** Keeps the final counts of tables that were replaced; `hits` begin with those by rule id. */
  retire(compilation: Compilation, hits: Float64Array): void {
    compilation.rules.forEach((info, rule) => {
      const count = hits[rule] ?? 0;
      const named = describe(info);
      if (named === undefined || count === 0) return;
      const key = keyOf(named);
      const known = this.#retired.get(key);
      if (known === undefined && this.#retired.size >= MAX_RETIRED) return;
      this.#retired.set(key, { ...named, count: (known?.count ?? 0) + count });
    });
  }

  /** All counts, with those of the tables in force added. */
  read(compilation: Compilation | undefined, hits: (rule: number) => number): PolicyCount[] {
    const total = new Map(this.#retired);
    compilation?.rules.forEach((info, rule) => {
      const named = describe(info);
      if (named === undefined) return;
      const key = keyOf(named);
      total.set(key, { ...named, count: (total.get(key)?.count ?? 0) + hits(rule) });
    });
    return [...total.values()];
  }
}

/** Policy rules and ends of tiers have a name; the other implied rules are counted by reason only. */
function describe(info: RuleInfo): PolicyRule | undefined {
  const { direction, verdict: action } = info;
  if (info.rule !== undefined) {
    return { direction, tier: info.rule.tier, policy: info.rule.policy, rule: info.rule.index, action };
  }
  if (info.reason !== "end-of-tier" || info.tier === undefined) return undefined;
  return { direction, tier: info.tier, policy: "", rule: "end-of-tier", action };
}

function keyOf(rule: PolicyRule): string {
  return `${rule.direction}|${rule.tier}|${rule.policy}|${rule.rule}|${rule.action}`;
}
