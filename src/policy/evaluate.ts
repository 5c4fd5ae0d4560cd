/**
 * The reference evaluator: SEMANTICS 3.1 and 3.2 for one endpoint, direction
 * and policy class, written to be read next to that text. It is slow on
 * purpose; the compiled tables must agree with it on every packet.
 */
import type { Direction, HostEndpoint, ResourceSet } from "../resources/types.ts";
import type { Decision, PolicyClass, PolicyPacket, PolicyVerdict, Reason, RuleReference } from "./decision.ts";
import { effectiveFelix, isFailsafe } from "./failsafe.ts";
import { ruleMatches } from "./match-rule.ts";
import { hasForwardPolicies, tierPolicies } from "./order.ts";

/** The one built-in profile (SEMANTICS 1.8): it allows everything, both ways. */
const DEFAULT_ALLOW_PROFILE = "projectcalico-default-allow";

/**
 * Decides a packet that starts a connection, addresses and ports as the
 * initiator sent them. `normal` never answers `continue`.
 */
export function evaluateEndpoint(
  set: ResourceSet,
  node: string,
  endpoint: HostEndpoint,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
): Decision {
  if (policyClass === "normal" && isFailsafe(effectiveFelix(set, node), direction, packet)) {
    return decision("allow", "failsafe", []);
  }

  const logged: RuleReference[] = [];
  for (const { tier, policies } of tierPolicies(set, endpoint, policyClass, direction)) {
    let passed = false;
    search: for (const policy of policies) {
      for (const [index, rule] of policy[direction].entries()) {
        if (!ruleMatches(set, rule, packet)) continue;
        const reference: RuleReference = { tier: tier.name, policy: policy.name, direction, index };
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
    if (!passed && tier.defaultAction !== "Pass") {
      return { ...decision("deny", "end-of-tier", logged), tier: tier.name };
    }
  }

  if (policyClass === "forward") {
    return decision(hasForwardPolicies(set, endpoint) ? "continue" : "allow", "forward-default", logged);
  }
  if (endpoint.profiles.includes(DEFAULT_ALLOW_PROFILE)) return decision("allow", "profile", logged);
  return decision("deny", "no-policy", logged);
}

function decision(verdict: PolicyVerdict, reason: Reason, logged: readonly RuleReference[]): Decision {
  return { verdict, reason, tier: undefined, rule: undefined, logged };
}
