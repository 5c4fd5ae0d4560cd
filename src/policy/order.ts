/**
 * Which policies apply to an endpoint and in what order (SEMANTICS 1.6, 1.7,
 * 3.1). The order is total: no two policies or tiers compare equal, so the
 * same resources always give the same verdicts.
 */
import type { Direction, GlobalNetworkPolicy, HostEndpoint, ResourceSet, Tier } from "../resources/types.ts";
import { matchesSelector } from "../selector/match.ts";
import type { PolicyClass } from "./decision.ts";

export interface TierPolicies {
  readonly tier: Tier;
  /** At least one, in the order they are evaluated. */
  readonly policies: readonly GlobalNetworkPolicy[];
}

/** Tiers by order, then name; an unset order comes last. */
export function sortedTiers(set: ResourceSet): Tier[] {
  return set.tiers.toSorted((a, b) => compareOrder(a.order, b.order) || compareText(a.name, b.name));
}

/** Policies of one tier by order (unset last), ties by the text `name/namespace/kind`. */
export function comparePolicies(a: GlobalNetworkPolicy, b: GlobalNetworkPolicy): number {
  return compareOrder(a.order, b.order) || compareText(tieBreaker(a), tieBreaker(b));
}

/** Does the policy's selector choose the endpoint? */
export function governs(policy: GlobalNetworkPolicy, endpoint: HostEndpoint): boolean {
  return matchesSelector(policy.selector.root, endpoint.labels);
}

/**
 * Tiers with at least one policy of this class that governs the endpoint and
 * has the direction in its types, even if it has no rules there. A policy with
 * applyOnForward is in both classes, any other in `normal` only.
 */
export function tierPolicies(
  set: ResourceSet,
  endpoint: HostEndpoint,
  policyClass: PolicyClass,
  direction: Direction,
): TierPolicies[] {
  const applicable = set.policies
    .filter((policy) => policyClass === "normal" || policy.applyOnForward)
    .filter((policy) => policy.types.includes(direction))
    .filter((policy) => governs(policy, endpoint))
    .toSorted(comparePolicies);
  return sortedTiers(set)
    .map((tier) => ({ tier, policies: applicable.filter((policy) => policy.tier === tier.name) }))
    .filter(({ policies }) => policies.length > 0);
}

/** Has the endpoint any applyOnForward policy, in either direction? Without one it forwards everything. */
export function hasForwardPolicies(set: ResourceSet, endpoint: HostEndpoint): boolean {
  return set.policies.some((policy) => policy.applyOnForward && governs(policy, endpoint));
}

/** The trailing slash counts: `a-b` and `a.b` sort before `a`, because `-` and `.` are below `/`. */
function tieBreaker(policy: GlobalNetworkPolicy): string {
  return `${policy.name}//${policy.kind}`;
}

function compareOrder(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  return (a ?? Infinity) < (b ?? Infinity) ? -1 : 1;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
