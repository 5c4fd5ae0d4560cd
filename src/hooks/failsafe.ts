/**
 * Failsafe ports as rules (SEMANTICS 3.6): a way in and out that no policy and
 * no dead daemon can close. Both directions of a failsafe connection pass in
 * the kernel. FORWARD has none.
 */
import type { Family } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";
import type { FailsafePort } from "../resources/types.ts";
import type { HookConfig, HookName } from "./hook-config.ts";
import { rule } from "./rule.ts";

/** Ports one multiport match takes. */
const MULTIPORT_LIMIT = 15;

interface PortGroup {
  readonly protocol: FailsafePort["protocol"];
  /** Prefix of the far side; undefined for any. */
  readonly net: string | undefined;
  readonly ports: readonly number[];
}

/** `allow` is the chain that marks the connection allowed and accepts: its ICMP errors then pass too. */
export function failsafeRules(config: HookConfig, hook: HookName, family: Family, allow: string): string[] {
  if (hook === "FORWARD") return [];
  const inbound = groupPorts(config.failsafeInbound, family);
  const outbound = groupPorts(config.failsafeOutbound, family);
  const [opening, answering] = hook === "INPUT" ? [inbound, outbound] : [outbound, inbound];
  const farSide = hook === "INPUT" ? "-s" : "-d";
  return [
    ...opening.map((group) => rule("failsafe", openingMatch(group, farSide), allow)),
    ...answering.map((group) => rule("failsafe-reply", answeringMatch(group, farSide, hook), "ACCEPT")),
  ];
}

function openingMatch(group: PortGroup, farSide: string): string {
  return `${farMatch(group, farSide)}-p ${group.protocol} ${portMatch(group, "dport")}`;
}

/**
 * Answers of a failsafe connection, whatever its mark says after a policy
 * change. Conntrack's reply direction proves that the other side was let
 * through before. For inbound TCP that is not asked: a connection older than
 * conntrack (its module was loaded later, its table was flushed) has no such
 * proof, and cutting it would lock its user out; without a lone SYN, a packet
 * cannot open a connection.
 */
function answeringMatch(group: PortGroup, farSide: string, hook: HookName): string {
  const far = farMatch(group, farSide);
  const ports = portMatch(group, "sport");
  if (hook === "OUTPUT" && group.protocol === "tcp") {
    return `${far}-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN ${ports}`;
  }
  return `${far}-p ${group.protocol} ${ports} -m conntrack --ctdir REPLY`;
}

function farMatch(group: PortGroup, farSide: string): string {
  return group.net === undefined ? "" : `${farSide} ${group.net} `;
}

function portMatch(group: PortGroup, side: "dport" | "sport"): string {
  return group.ports.length === 1
    ? `-m ${group.protocol} --${side} ${group.ports[0]}`
    : `-m multiport --${side}s ${group.ports.join(",")}`;
}

/** Ports with the same protocol and net share a rule; a net of the other family is rendered nowhere. */
function groupPorts(failsafes: readonly FailsafePort[], family: Family): PortGroup[] {
  const groups = new Map<string, { protocol: FailsafePort["protocol"]; net: string | undefined; ports: Set<number> }>();
  for (const { protocol, port, net } of failsafes) {
    if (net !== undefined && net.family !== family) continue;
    // A /0 is no condition, and iptables-save does not print it.
    const text = net === undefined || net.prefix === 0 ? undefined : formatCidr(net);
    const key = `${protocol} ${text ?? "any"}`;
    const group = groups.get(key) ?? { protocol, net: text, ports: new Set<number>() };
    group.ports.add(port);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap(({ protocol, net, ports }) => {
    const sorted = [...ports].toSorted((a, b) => a - b);
    const parts: PortGroup[] = [];
    for (let i = 0; i < sorted.length; i += MULTIPORT_LIMIT) {
      parts.push({ protocol, net, ports: sorted.slice(i, i + MULTIPORT_LIMIT) });
    }
    return parts;
  });
}
