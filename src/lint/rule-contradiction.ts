/**
 * Criteria of one rule that no packet satisfies together, whatever endpoints
 * and network sets there are. Rules whose IP versions do not fit are the
 * loader's to report.
 */
import type { EntityRule, Rule } from "../resources/types.ts";
import { coversIcmpMatch } from "./rule-cover.ts";
import { isIcmpRule, netContains, netsOf } from "./rule-extent.ts";
import type { EntityExtent, RuleExtent } from "./rule-extent.ts";
import { selectsNobody } from "./selector-conjuncts.ts";

/** What is wrong, as the end of a sentence; undefined: nothing that can be seen here. */
export function contradiction(extent: RuleExtent): string | undefined {
  const { rule } = extent;
  if (rule.protocol !== undefined && rule.protocol === rule.notProtocol) return "protocol and notProtocol are the same";
  if (excludesItsIcmp(rule)) return "notICMP excludes all that icmp and protocol leave";
  return entityContradiction(extent, "source") ?? entityContradiction(extent, "destination");
}

function excludesItsIcmp(rule: Rule): boolean {
  const { icmp, notIcmp } = rule;
  if (notIcmp === undefined || isIcmpRule(rule) !== true) return false;
  return coversIcmpMatch(notIcmp, icmp ?? { type: undefined, code: undefined });
}

function entityContradiction(extent: RuleExtent, side: "source" | "destination"): string | undefined {
  const { entity, possible }: EntityExtent = extent[side];
  if (possible?.length === 0) return `${side}.notPorts excludes every port of ${side}.ports`;
  const { families } = extent;
  if (families.length > 0 && families.every((family) => excludesItsNets(entity, family))) {
    return `${side}.notNets excludes every address of ${side}.nets`;
  }
  const { selector, notSelector } = entity;
  if (selector === undefined) return undefined;
  if (selector.key === notSelector?.key) return `${side}.selector and ${side}.notSelector are the same`;
  return selectsNobody(selector) ? `no labels satisfy the ${side}'s selector ${selector.text}` : undefined;
}

function excludesItsNets(entity: EntityRule, family: 4 | 6): boolean {
  return netsOf(entity, family).every((net) => entity.notNets.some((outer) => netContains(outer, net)));
}
