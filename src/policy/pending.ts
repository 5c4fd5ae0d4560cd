/**
 * The pending verdict: what would be decided if the staged policies were in
 * force (SEMANTICS 1.14). It is counted and shown and never enforced, so
 * nothing here may be asked by what decides about a packet.
 *
 *   Set      the staged policy counts as any other, in place of the enforced
 *            one of its kind, namespace and name if there is one
 *   Delete   the enforced policy of its kind, namespace and name is gone
 *
 * Everything else is as ever: order, tiers, their ends, profiles.
 */
import type { Direction, Endpoint, Policy, ResourceSet } from "../resources/types.ts";
import type { Decision, PolicyClass, PolicyPacket } from "./decision.ts";
import { evaluateEndpoint } from "./evaluate.ts";
import { enforcedPolicies, hasPolicies, tierPolicies } from "./order.ts";

/** The policies that would count. Those of Staged* kinds are still marked `staged`, which tells who would decide. */
export function pendingPolicies(set: ResourceSet): readonly Policy[] {
  const staged = set.policies.filter((policy) => policy.staged);
  const gone = new Set(staged.map(identity));
  return [
    ...enforcedPolicies(set).filter((policy) => !gone.has(identity(policy))),
    ...staged.filter((policy) => policy.stagedAction !== "Delete"),
  ];
}

/** evaluateEndpoint, had the staged policies been in force. */
export function evaluatePending(
  set: ResourceSet,
  node: string,
  endpoint: Endpoint,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
): Decision {
  return evaluateEndpoint(set, node, endpoint, policyClass, direction, packet, pendingPolicies(set));
}

/** Would the endpoint be judged by other policies? If not, every pending verdict there is the enforced one. */
export function isAffected(set: ResourceSet, endpoint: Endpoint, policyClass: PolicyClass, direction: Direction): boolean {
  const pending = pendingPolicies(set);
  const before = tierPolicies(set, endpoint, policyClass, direction).flatMap((tier) => tier.policies);
  const after = tierPolicies(set, endpoint, policyClass, direction, pending).flatMap((tier) => tier.policies);
  if (before.length !== after.length || before.some((policy, i) => policy !== after[i])) return true;
  // Forwarded traffic passes an endpoint that has no policy for it in either direction.
  const had = hasPolicies(set, endpoint, policyClass);
  return policyClass === "forward" && had !== hasPolicies(set, endpoint, policyClass, pending);
}

/** Equal for an enforced policy and the staged one that would replace or delete it. */
function identity({ kind, namespace, name }: Policy): string {
  return `${kind}|${namespace ?? ""}|${name}`;
}
