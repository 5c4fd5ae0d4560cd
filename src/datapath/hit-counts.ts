/**
 * Where a worker counts for each rule, in one array of its own:
 *
 *   [rule]                                         packets it decided or logged
 *   [rules + rule * ENFORCED + enforced action-1]  decisions it would have made, were the staged policies in force, by
 *                                                  what was enforced instead
 *
 * The second part is there only with pending programs, and counts decisions
 * of an endpoint, not packets: a flow that is known is not decided again.
 */
import { RuleAction, type CompiledTables } from "../tables/compiled.ts";

/** Actions that decide: ALLOW, DENY and CONTINUE, in that order. */
const ENFORCED = 3;
const DECISIONS = ["allow", "deny", "continue"] as const;

/** What an endpoint decided, or would have. */
export type DecisionName = (typeof DECISIONS)[number];

/** Places the array has. */
export function hitPlaces({ rules, pendingPrograms }: CompiledTables): number {
  const count = rules.action.length;
  return pendingPrograms.length === 0 ? count : count * (1 + ENFORCED);
}

/** The place of a pending decision; `rules` is the number of rules, `enforced` the RuleAction that was carried out. */
export function pendingPlace(rules: number, rule: number, enforced: number): number {
  return rules + rule * ENFORCED + enforced - RuleAction.ALLOW;
}

/** Calls `visit` for every count of pending decisions that is not zero. */
export function eachPending(
  { rules, pendingPrograms }: CompiledTables,
  hits: (place: number) => number,
  visit: (rule: number, enforced: DecisionName, count: number) => void,
): void {
  if (pendingPrograms.length === 0) return;
  const count = rules.action.length;
  for (let rule = 0; rule < count; rule++) {
    DECISIONS.forEach((enforced, i) => {
      const decisions = hits(count + rule * ENFORCED + i);
      if (decisions > 0) visit(rule, enforced, decisions);
    });
  }
}
