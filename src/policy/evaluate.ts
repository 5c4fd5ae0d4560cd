/**
 * The reference evaluator: SEMANTICS 3.1 and 3.2 for one endpoint, direction
 * and policy class, written to be read next to that text. It is slow on
 * purpose; the compiled tables must agree with it on every packet.
 */
import type { Direction, Endpoint, ResourceSet } from "../resources/types.ts";
import type { Decision, PolicyClass, PolicyPacket, PolicyVerdict, Reason, RuleReference } from "./decision.ts";
import { effectiveFelix, isFailsafe } from "./failsafe.ts";
import { ruleMatches } from "./match-rule.ts";
import { enforcedPolicies, hasPolicies, tierPolicies } from "./order.ts";
import { policyLabel } from "./policy-label.ts";

/**
 * Decides a packet that starts a connection, addresses and ports as the
 * initiator sent them. `normal` never answers `continue`. A failsafe port
 * allows local traffic; before DNAT and untracked it only ends that class, so
 * that the packet is judged by the next one: `continue`, reason `failsafe`.
 * `policies` are those in force: the enforced ones, or those of pending.ts.
 */
export function evaluateEndpoint(
  set: ResourceSet,
  node: string,
  endpoint: Endpoint,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
  policies = enforcedPolicies(set),
): Decision {
  if (endpoint.kind === "HostEndpoint" && isFailsafe(effectiveFelix(set, node), policyClass, direction, packet)) {
    return decision(policyClass === "normal" ? "allow" : "continue", "failsafe", []);
  }

  const deniesAtEndOfTier = policyClass === "normal" || policyClass === "forward";
  const logged: RuleReference[] = [];
  for (const { tier, policies: ofTier } of tierPolicies(set, endpoint, policyClass, direction, policies)) {
    let passed = false;
    search: for (const policy of ofTier) {
      for (const [index, rule] of policy[direction].entries()) {
        if (!ruleMatches(set, rule, packet)) continue;
        const reference: RuleReference = { tier: tier.name, policy: policyLabel(policy), direction, index };
        switch (rule.action) {
          case "Log":
            logged.push(reference);
            continue;
          case "Allow":
            return { ...decision("allow", "policy", logged), tier: tier.name, rule: reference };
          case "Deny":
            return { ...decision("deny", "policy", logged), tier: tier.name, rule: reference };
          case "Pass":
            passed = true;
            break search;
        }
      }
    }
    if (!passed && tier.defaultAction !== "Pass" && deniesAtEndOfTier) {
      return { ...decision("deny", "end-of-tier", logged), tier: tier.name };
    }
  }

  switch (policyClass) {
    case "normal":
      return evaluateProfiles(set, endpoint, direction, packet, logged);
    case "forward":
      return decision(hasPolicies(set, endpoint, "forward", policies) ? "continue" : "allow", "forward-default", logged);
    case "preDNAT":
    case "untracked":
      return decision("continue", "no-match", logged);
  }
}

/** The first rule that matches decides: Allow allows, Deny and Pass deny; without one the packet is denied. */
function evaluateProfiles(
  set: ResourceSet,
  endpoint: Endpoint,
  direction: Direction,
  packet: PolicyPacket,
  logged: RuleReference[],
): Decision {
  for (const name of endpoint.profiles) {
    for (const [index, rule] of (set.profiles.get(name)?.[direction] ?? []).entries()) {
      if (!ruleMatches(set, rule, packet)) continue;
      if (rule.action !== "Log") return decision(rule.action === "Allow" ? "allow" : "deny", "profile", logged);
      logged.push({ tier: "", policy: name, direction, index });
    }
  }
  return decision("deny", "no-policy", logged);
}

function decision(verdict: PolicyVerdict, reason: Reason, logged: readonly RuleReference[]): Decision {
  return { verdict, reason, tier: undefined, rule: undefined, logged };
}
