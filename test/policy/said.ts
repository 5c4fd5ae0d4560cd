/** A decision in one line: verdict, reason, the tier or rule that decided, and what was logged on the way. */
import type { Decision, RuleReference } from "../../src/policy/decision.ts";

export function said({ verdict, reason, tier, rule, logged }: Decision): string {
  const by = rule === undefined ? (tier ?? "") : inWords(rule);
  const logs = logged.map(({ policy, index }) => ` log ${policy}[${index}]`).join("");
  return `${verdict} ${reason} ${by}`.trim() + logs;
}

function inWords({ tier, policy, direction, index }: RuleReference): string {
  return `${tier}/${policy}/${direction}[${index}]`;
}
