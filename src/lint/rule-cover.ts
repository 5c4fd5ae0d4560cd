/**
 * Does one rule match every packet that another one matches? The answer yes is
 * proved criterion by criterion from the two rules alone, so that it stays true
 * whatever endpoints and network sets there are. No means only: not proved.
 */
import type { IcmpMatch, Rule } from "../resources/types.ts";
import { coversEntity } from "./entity-cover.ts";
import { isIcmpRule } from "./rule-extent.ts";
import type { RuleExtent } from "./rule-extent.ts";

/** SEMANTICS 1.3, 1.4. */
export function covers(wide: RuleExtent, narrow: RuleExtent): boolean {
  return (
    coversProtocol(wide.rule, narrow.rule) &&
    narrow.families.every((family) => wide.families.includes(family)) &&
    coversIcmp(wide.rule, narrow.rule) &&
    coversNotIcmp(wide.rule, narrow.rule) &&
    coversEntity(wide.source, narrow.source, narrow.families, "source") &&
    coversEntity(wide.destination, narrow.destination, narrow.families, "destination")
  );
}

/** Does `wide` hold for every ICMP packet that `narrow` holds for? */
export function coversIcmpMatch(wide: IcmpMatch, narrow: IcmpMatch): boolean {
  return (
    (wide.type === undefined || wide.type === narrow.type) && (wide.code === undefined || wide.code === narrow.code)
  );
}

function coversProtocol(wide: Rule, narrow: Rule): boolean {
  if (wide.protocol !== undefined && wide.protocol !== narrow.protocol) return false;
  if (wide.notProtocol === undefined || wide.notProtocol === narrow.notProtocol) return true;
  return narrow.protocol !== undefined && narrow.protocol !== wide.notProtocol;
}

function coversIcmp({ icmp }: Rule, narrow: Rule): boolean {
  if (icmp === undefined) return true;
  if (narrow.icmp !== undefined) return coversIcmpMatch(icmp, narrow.icmp);
  return isIcmpRule(narrow) === true && icmp.type === undefined && icmp.code === undefined;
}

/** The negation needs to know the packet's type, which part of an ICMP packet does not have. */
function coversNotIcmp({ notIcmp }: Rule, narrow: Rule): boolean {
  if (notIcmp === undefined || isIcmpRule(narrow) === false) return true;
  if (narrow.notIcmp !== undefined && coversIcmpMatch(narrow.notIcmp, notIcmp)) return true;
  const { icmp } = narrow;
  if (icmp?.type === undefined) return false;
  const otherType = notIcmp.type !== undefined && notIcmp.type !== icmp.type;
  return otherType || (notIcmp.code !== undefined && icmp.code !== undefined && notIcmp.code !== icmp.code);
}
