/**
 * Allow rules that change nothing, because the failsafe ports of every
 * HostEndpoint they are for let the same packets through before any policy is
 * asked. Forwarded packets, preDNAT and untracked policies and workloads know
 * no such failsafe.
 */
import type { EffectiveFelix } from "../policy/failsafe.ts";
import { effectiveFelix } from "../policy/failsafe.ts";
import { SCTP, TCP, UDP } from "../resources/protocol.ts";
import type { Direction, FailsafePort, Policy, PortRange, ResourceSet, Rule } from "../resources/types.ts";
import type { ChosenEndpoints } from "./chosen-endpoints.ts";
import type { LintWarning } from "./lint-warning.ts";
import { policyTitle } from "./lint-warning.ts";
import { portSet } from "./port-set.ts";
import { entriesByLocation } from "./rule-location.ts";

const PROTOCOL_NAME: ReadonlyMap<number | undefined, FailsafePort["protocol"]> = new Map([
  [TCP, "tcp"],
  [UDP, "udp"],
  [SCTP, "sctp"],
]);

/** SEMANTICS 3.2, 3.6. */
export function lintPointlessAllows(set: ResourceSet, chosen: ChosenEndpoints): LintWarning[] {
  const byNode = new Map<string, EffectiveFelix>();
  const felixOf = (node: string): EffectiveFelix => {
    let felix = byNode.get(node);
    if (felix === undefined) byNode.set(node, (felix = effectiveFelix(set, node)));
    return felix;
  };
  /** The settings of every node the policy is for; empty if any of its packets meets no failsafe. */
  const settings = (policy: Policy): readonly EffectiveFelix[] => {
    if (policy.applyOnForward || policy.preDNAT || policy.doNotTrack || chosen.anyWorkload(policy.selector)) return [];
    return [...new Set(chosen.hosts(policy.selector).map(({ node }) => node))].map(felixOf);
  };
  return set.policies.flatMap((policy) =>
    policy.types.flatMap((direction) => {
      if (!policy[direction].some(isCandidate)) return [];
      const felix = settings(policy);
      return felix.length === 0 ? [] : lintDirection(policy, direction, felix);
    }),
  );
}

function lintDirection(policy: Policy, direction: Direction, felix: readonly EffectiveFelix[]): LintWarning[] {
  const rules = policy[direction];
  return entriesByLocation(rules).flatMap((indexes): LintWarning[] => {
    const written = indexes.map((index) => rules[index] as Rule);
    if (!written.every((rule) => isFailsafeRule(rule, direction, felix))) return [];
    const ports = [...new Set(written.map(describePorts))].join(", ");
    const [{ location }] = written as [Rule];
    return [
      {
        code: "RAMPART_W_POINTLESS_ALLOW",
        message:
          `${policyTitle(policy)}: the ${direction} rule allows ${ports} only, which the failsafe ports ` +
          "always allow on every HostEndpoint the policy chooses",
        hint:
          "remove the rule and keep the policy's types, or take the port off the failsafe list to let policy decide",
        location,
      },
    ];
  });
}

/** Could it be about failsafe ports at all? */
function isCandidate({ action, protocol, destination }: Rule): boolean {
  return (
    action === "Allow" &&
    PROTOCOL_NAME.has(protocol) &&
    destination.ports.length > 0 &&
    destination.namedPorts.length === 0
  );
}

/** A failsafe port that is limited to a net does not always allow. */
function isFailsafeRule(rule: Rule, direction: Direction, felix: readonly EffectiveFelix[]): boolean {
  if (!isCandidate(rule)) return false;
  const protocol = PROTOCOL_NAME.get(rule.protocol);
  return felix.every(({ failsafeInbound, failsafeOutbound }) => {
    const list = direction === "ingress" ? failsafeInbound : failsafeOutbound;
    const always = new Set(list.filter((each) => each.protocol === protocol && !each.net).map(({ port }) => port));
    return rule.destination.ports.every((range) => holdsAll(always, range));
  });
}

function holdsAll(ports: ReadonlySet<number>, { min, max }: PortRange): boolean {
  if (max - min >= ports.size) return false;
  for (let port = min; port <= max; port++) if (!ports.has(port)) return false;
  return true;
}

function describePorts({ protocol, destination }: Rule): string {
  const ranges = portSet(destination.ports).map(({ min, max }) => (min === max ? `${min}` : `${min}:${max}`));
  return `${PROTOCOL_NAME.get(protocol)} ${ranges.join(", ")}`;
}
