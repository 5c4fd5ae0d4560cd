/**
 * From the validated resources to the published tables. The order of a
 * program is SEMANTICS 3.1 and 3.2 written down as a list:
 *
 *   normal   failsafe ports, tiers, profiles, deny
 *   forward  tiers, then allow (no applyOnForward policy at all) or continue
 *
 * A tier is its policies' rules; after them, where it has enforced policies
 * and does not pass by default, a rule that denies everything.
 */
import type { PolicyClass } from "../policy/decision.ts";
import { effectiveFelix } from "../policy/failsafe.ts";
import { hasForwardPolicies, tierPolicies } from "../policy/order.ts";
import type { Direction, HostEndpoint, ResourceSet } from "../resources/types.ts";
import { buildAddressClasses } from "./address-classes.ts";
import { PROGRAM_KINDS, ProgramKind, type Compilation } from "./compiled.ts";
import { buildPrograms, type ProgramItem } from "./program-index.ts";
import { RuleBuilder } from "./rule-builder.ts";
import { sharedUint32 } from "./shared-arrays.ts";

const KINDS: readonly (readonly [number, PolicyClass, Direction])[] = [
  [ProgramKind.NORMAL_INGRESS, "normal", "ingress"],
  [ProgramKind.NORMAL_EGRESS, "normal", "egress"],
  [ProgramKind.FORWARD_INGRESS, "forward", "ingress"],
  [ProgramKind.FORWARD_EGRESS, "forward", "egress"],
];

/** Compiles every HostEndpoint of `node`; endpoint indices follow `set.hostEndpoints` order. */
export function compileTables(set: ResourceSet, node: string, generation: number): Compilation {
  const rules = new RuleBuilder(set);
  const felix = effectiveFelix(set, node);
  const local = set.hostEndpoints.filter((endpoint) => endpoint.node === node);

  const programs: ProgramItem[][] = [];
  const programIds = new Map<string, number>();
  const endpointPrograms = sharedUint32(local.length * PROGRAM_KINDS);
  local.forEach((endpoint, index) => {
    for (const [kind, policyClass, direction] of KINDS) {
      const items = programItems(set, endpoint, policyClass, direction, rules, felix);
      const key = items.map((item) => `${item.rule}>${item.next}`).join();
      let id = programIds.get(key);
      if (id === undefined) {
        id = programs.length;
        programs.push(items);
        programIds.set(key, id);
      }
      endpointPrograms[index * PROGRAM_KINDS + kind] = id;
    }
  });

  return {
    tables: {
      generation,
      addresses: buildAddressClasses(rules.addresses),
      sourcePorts: rules.sourcePorts.build(),
      destinationPorts: rules.destinationPorts.build(),
      icmp: rules.icmp.build(),
      rules: rules.table(),
      programs: buildPrograms(programs, rules.built),
      endpointPrograms,
      rejectDenied: felix.denyAction === "Reject",
    },
    rules: rules.info,
    endpoints: local.map((endpoint) => endpoint.name),
  };
}

function programItems(
  set: ResourceSet,
  endpoint: HostEndpoint,
  policyClass: PolicyClass,
  direction: Direction,
  rules: RuleBuilder,
  felix: ReturnType<typeof effectiveFelix>,
): ProgramItem[] {
  const items: ProgramItem[] = [];
  const push = (rule: number): void => {
    items.push({ rule, next: items.length + 1 });
  };

  if (policyClass === "normal") {
    const ports = direction === "ingress" ? felix.failsafeInbound : felix.failsafeOutbound;
    for (const port of ports) push(rules.failsafeRule(port, direction));
  }
  for (const { tier, policies } of tierPolicies(set, endpoint, policyClass, direction)) {
    const first = items.length;
    for (const policy of policies) {
      policy[direction].forEach((_, index) => push(rules.policyRule(policy, direction, index)));
    }
    if (policies.length > 0 && tier.defaultAction !== "Pass") {
      push(rules.impliedRule(direction, "deny", "end-of-tier", tier.name));
    }
    for (let i = first; i < items.length; i++) {
      const rule = items[i].rule;
      if (rules.info[rule].verdict === "pass") items[i] = { rule, next: items.length };
    }
  }
  if (policyClass === "normal") {
    if (endpoint.profiles.includes("projectcalico-default-allow")) push(rules.impliedRule(direction, "allow", "profile"));
    else push(rules.impliedRule(direction, "deny", "no-policy"));
  } else if (hasForwardPolicies(set, endpoint)) push(rules.impliedRule(direction, "continue", "forward-default"));
  else push(rules.impliedRule(direction, "allow", "forward-default"));
  return items;
}
