/**
 * Which policies apply to an endpoint and in what order (SEMANTICS 1.6, 1.7,
 * 3.1). The order is total: no two policies or tiers compare equal, so the
 * same resources always give the same verdicts. Staged policies apply nowhere,
 * unless the caller gives a list of its own (pending.ts).
 */
import type { Direction, Endpoint, Policy, ResourceSet, Tier } from "../resources/types.ts";
import { matchesSelector } from "../selector/match.ts";
import type { PolicyClass } from "./decision.ts";

export interface TierPolicies {
  readonly tier: Tier;
  /** At least one, in the order they are evaluated. */
  readonly policies: readonly Policy[];
}

/** Tiers by order, then name; an unset order comes last. */
export function sortedTiers(set: ResourceSet): Tier[] {
  return set.tiers.toSorted((a, b) => compareOrder(a.order, b.order) || compareText(a.name, b.name));
}

/** Policies of one tier by order (unset last), ties by the text `name/namespace/kind`. */
export function comparePolicies(a: Policy, b: Policy): number {
  return compareOrder(a.order, b.order) || compareText(tieBreaker(a), tieBreaker(b));
}

/** Does the policy's selector choose the endpoint? */
export function governs(policy: Policy, endpoint: Endpoint): boolean {
  return matchesSelector(policy.selector.root, endpoint.labels);
}

/** The policies that count: all but the staged ones. */
export function enforcedPolicies(set: ResourceSet): readonly Policy[] {
  return set.policies.filter((policy) => !policy.staged);
}

/**
 * Tiers with at least one of the policies of this class that governs the
 * endpoint and has the direction in its types, even if it has no rules there.
 */
export function tierPolicies(
  set: ResourceSet,
  endpoint: Endpoint,
  policyClass: PolicyClass,
  direction: Direction,
  policies = enforcedPolicies(set),
): TierPolicies[] {
  const applicable = policiesOf(policies, endpoint, policyClass)
    .filter((policy) => policy.types.includes(direction))
    .toSorted(comparePolicies);
  return sortedTiers(set)
    .map((tier) => ({ tier, policies: applicable.filter((policy) => policy.tier === tier.name) }))
    .filter((each) => each.policies.length > 0);
}

/** Do any of the policies, those enforced unless told, speak in this class at the endpoint, in either direction? */
export function hasPolicies(
  set: ResourceSet,
  endpoint: Endpoint,
  policyClass: PolicyClass,
  policies = enforcedPolicies(set),
): boolean {
  return policies.some((policy) => isOfClass(policy, endpoint, policyClass) && governs(policy, endpoint));
}

/** Has the endpoint any applyOnForward policy, in either direction? Without one it forwards everything. */
export function hasForwardPolicies(set: ResourceSet, endpoint: Endpoint): boolean {
  return hasPolicies(set, endpoint, "forward");
}

function policiesOf(policies: readonly Policy[], endpoint: Endpoint, policyClass: PolicyClass): Policy[] {
  return policies.filter((policy) => isOfClass(policy, endpoint, policyClass) && governs(policy, endpoint));
}

/**
 * SEMANTICS 3.1: an untracked or preDNAT policy is that and nothing else, on a
 * HostEndpoint, and has no effect on a WorkloadEndpoint; any other policy is
 * normal, and on a HostEndpoint with applyOnForward for forwarded traffic too.
 */
function isOfClass(policy: Policy, endpoint: Endpoint, policyClass: PolicyClass): boolean {
  const onHost = endpoint.kind === "HostEndpoint";
  if (policy.doNotTrack) return onHost && policyClass === "untracked";
  if (policy.preDNAT) return onHost && policyClass === "preDNAT";
  return policyClass === "normal" || (policyClass === "forward" && onHost && policy.applyOnForward);
}

/** The slashes count: `a-b` and `a.b` sort before `a`, because `-` and `.` are below `/`. */
function tieBreaker(policy: Policy): string {
  return `${policy.name}/${policy.namespace ?? ""}/${policy.kind}`;
}

function compareOrder(a: number | undefined, b: number | undefined): number {
  if (a === b) return 0;
  return (a ?? Infinity) < (b ?? Infinity) ? -1 : 1;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
