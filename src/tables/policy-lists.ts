/**
 * Which policies apply to which endpoint, for all endpoints at once and in
 * order (SEMANTICS 1.6, 1.7, 3.1): policies are sorted once, then each is
 * handed to the endpoints it chooses, so every endpoint's list comes out sorted.
 */
import type { PolicyClass } from "../policy/decision.ts";
import { LabelIndex } from "../policy/label-index.ts";
import { comparePolicies, enforcedPolicies, sortedTiers } from "../policy/order.ts";
import type { Endpoint, Policy, ResourceSet, Tier } from "../resources/types.ts";

export interface PolicyLists {
  readonly tiers: readonly Tier[];
  /** In order of tier, then policy. */
  readonly policies: readonly Policy[];
  /** Endpoint index to positions in `policies`, ascending. */
  readonly byEndpoint: readonly (readonly number[])[];
}

/** The lists of `counting`: the enforced policies, or others in their place. */
export function policyLists(
  set: ResourceSet,
  endpoints: readonly Endpoint[],
  counting = enforcedPolicies(set),
): PolicyLists {
  const tiers = sortedTiers(set);
  const rank = new Map(tiers.map((tier, position) => [tier.name, position]));
  const policies = counting.toSorted(
    (a, b) => (rank.get(a.tier) ?? 0) - (rank.get(b.tier) ?? 0) || comparePolicies(a, b),
  );
  const positions = new Map(endpoints.map((endpoint, position) => [endpoint, position]));
  const byEndpoint: number[][] = endpoints.map(() => []);
  const index = new LabelIndex(endpoints);
  policies.forEach((policy, position) => {
    for (const endpoint of index.select(policy.selector.root)) byEndpoint[positions.get(endpoint) ?? 0].push(position);
  });
  return { tiers, policies, byEndpoint };
}

/** Does the policy speak in this class on this kind of endpoint (SEMANTICS 3.1)? */
export function hasClass(policy: Policy, endpoint: Endpoint, policyClass: PolicyClass): boolean {
  if (policy.doNotTrack) return policyClass === "untracked" && endpoint.kind === "HostEndpoint";
  if (policy.preDNAT) return policyClass === "preDNAT" && endpoint.kind === "HostEndpoint";
  if (policyClass === "forward") return policy.applyOnForward && endpoint.kind === "HostEndpoint";
  return policyClass === "normal";
}
