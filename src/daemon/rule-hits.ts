/**
 * Packets by policy rule, over all generations: rule ids change with every
 * compilation, names do not. Policies that are gone keep their last count for
 * as long as the bound on names allows.
 */
import type { Compilation, RuleInfo } from "../tables/compiled.ts";

export interface RuleHits {
  readonly direction: string;
  readonly tier: string;
  readonly policy: string;
  readonly rule: string;
  readonly action: string;
  readonly count: number;
}

/** Names kept of policies that are no longer loaded. */
const MAX_RETIRED = 50_000;

export class RuleHitLedger {
  readonly #retired = new Map<string, RuleHits>();

  retire(compilation: Compilation, hits: Float64Array): void {
    compilation.rules.forEach((info, rule) => {
      const count = hits[rule];
      const named = describe(info);
      if (named === undefined || count === undefined || count === 0) return;
      const key = keyOf(named);
      const known = this.#retired.get(key);
      if (known === undefined && this.#retired.size >= MAX_RETIRED) return;
      this.#retired.set(key, { ...named, count: (known?.count ?? 0) + count });
    });
  }

  /** All counts, with those of the tables in force added. */
  read(compilation: Compilation | undefined, hits: (rule: number) => number): RuleHits[] {
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
function describe(info: RuleInfo): Omit<RuleHits, "count"> | undefined {
  if (info.rule !== undefined) {
    const { direction, tier, policy, index } = info.rule;
    return { direction, tier, policy, rule: String(index), action: info.verdict };
  }
  if (info.reason !== "end-of-tier" || info.tier === undefined) return undefined;
  return { direction: "", tier: info.tier, policy: "", rule: "end-of-tier", action: info.verdict };
}

function keyOf(hits: Omit<RuleHits, "count">): string {
  return `${hits.direction}|${hits.tier}|${hits.policy}|${hits.rule}|${hits.action}`;
}
