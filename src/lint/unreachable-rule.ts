/** Rules that no packet can reach: earlier rules of their own policy take all of it, or they contradict themselves. */
import { entriesByLocation, place } from "./rule-location.ts";
import type { Direction, Policy, ResourceSet, Rule } from "../resources/types.ts";
import type { LintWarning } from "./lint-warning.ts";
import { policyTitle } from "./lint-warning.ts";
import { contradiction } from "./rule-contradiction.ts";
import { covers } from "./rule-cover.ts";
import { ruleExtent } from "./rule-extent.ts";
import type { RuleExtent } from "./rule-extent.ts";

export interface UnreachableRule {
  /** 0-based position in the policy's list. */
  readonly index: number;
  /** Position of the rule that takes all of its packets, or why it has none. */
  readonly cause: { readonly coveredBy: number } | { readonly contradiction: string };
}

export function lintUnreachableRules(set: ResourceSet): LintWarning[] {
  return set.policies.flatMap((policy) => policy.types.flatMap((direction) => lintDirection(policy, direction)));
}

/** Every rule of the policy that provably decides nothing, for any endpoints and network sets (SEMANTICS 3.1). */
export function unreachableRules(rules: readonly Rule[]): UnreachableRule[] {
  const found: UnreachableRule[] = [];
  const earlier: (readonly [index: number, extent: RuleExtent])[] = [];
  for (const [index, rule] of rules.entries()) {
    const extent = ruleExtent(rule);
    // The loader has reported it.
    if (extent.families.length === 0) continue;
    const why = contradiction(extent);
    if (why !== undefined) {
      found.push({ index, cause: { contradiction: why } });
      continue;
    }
    const coveredBy = earlier.find(([, other]) => covers(other, extent))?.[0];
    if (coveredBy !== undefined) found.push({ index, cause: { coveredBy } });
    else if (rule.action !== "Log") earlier.push([index, extent]);
  }
  return found;
}

/** One written rule can be several: it is unreachable only if all of them are. */
function lintDirection(policy: Policy, direction: Direction): LintWarning[] {
  const rules = policy[direction];
  const found = new Map(unreachableRules(rules).map((each) => [each.index, each.cause]));
  if (found.size === 0) return [];
  return entriesByLocation(rules).flatMap((indexes): LintWarning[] => {
    const causes = indexes.map((index) => found.get(index));
    const [cause] = causes;
    if (cause === undefined || causes.includes(undefined)) return [];
    const { location, action } = rules[indexes[0] as number] as Rule;
    const title = `${policyTitle(policy)}: no packet can reach this ${direction} rule (${action})`;
    if ("contradiction" in cause) {
      return [
        {
          code: "RAMPART_W_UNREACHABLE_RULE",
          message: `${title}: ${cause.contradiction}`,
          hint: "correct its criteria, or remove the rule",
          location,
        },
      ];
    }
    const other = rules[cause.coveredBy] as Rule;
    return [
      {
        code: "RAMPART_W_UNREACHABLE_RULE",
        message: `${title}: the ${other.action} rule at ${place(other.location)} takes every packet it matches`,
        hint: "move it before that rule, narrow that rule, or remove this one",
        location,
      },
    ];
  });
}
