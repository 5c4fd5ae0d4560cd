/**
 * Failsafe ports as matches (SEMANTICS 3.6): a way in and out that no policy
 * and no dead daemon can close. Both directions of a failsafe connection pass
 * in the kernel. FORWARD and workload interfaces have none.
 */
import type { Family } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";
import type { FailsafePort } from "../resources/types.ts";
import type { HookConfig } from "./hook-config.ts";

/** Ports one multiport match takes. */
const MULTIPORT_LIMIT = 15;

/** Which way a hook's packets go, seen from this host. */
export type PacketDirection = "inbound" | "outbound";

export interface PortGroup {
  readonly protocol: FailsafePort["protocol"];
  /** Prefix of the far side; undefined for any. */
  readonly net: string | undefined;
  readonly ports: readonly number[];
}

/** Packets that open a failsafe connection in their direction, or go on with it. */
export function openingMatches(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  return portGroups(config, direction, family).map((group) => portGroupMatch(group, direction, "dport"));
}

/**
 * Answers of a failsafe connection of the other direction, whatever its mark
 * says after a policy change. Conntrack's reply direction proves that the other
 * side was let through before. For inbound TCP that is not asked: a connection
 * older than conntrack (its module was loaded later, its table was flushed) has
 * no such proof, and cutting it would lock its user out; without a lone SYN, a
 * packet cannot open a connection.
 */
export function answerMatches(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  return portGroups(config, opposite(direction), family).map((group) => {
    if (direction === "outbound" && group.protocol === "tcp") return goingOnMatch(group, direction);
    return `${portGroupMatch(group, direction, "sport")} -m conntrack --ctdir REPLY`;
  });
}

/** Packets of a TCP group that answer, and cannot open a connection: a lone SYN alone does. */
export function goingOnMatch(group: PortGroup, direction: PacketDirection): string {
  const noOpening = "-m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN";
  return `${farMatch(group, direction)}-p tcp ${noOpening} ${portMatch(group, "sport")}`;
}

/** Both for the raw table, where nothing tells an answer from an opening: to pass here opens nothing in filter. */
export function untrackedMatches(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  const answers = portGroups(config, opposite(direction), family);
  return [
    ...openingMatches(config, direction, family),
    ...answers.map((group) => portGroupMatch(group, direction, "sport")),
  ];
}

/** The group's packets by their destination or source port. */
export function portGroupMatch(group: PortGroup, direction: PacketDirection, side: "dport" | "sport"): string {
  return `${farMatch(group, direction)}-p ${group.protocol} ${portMatch(group, side)}`;
}

function farMatch({ net }: PortGroup, direction: PacketDirection): string {
  return net === undefined ? "" : `${direction === "inbound" ? "-s" : "-d"} ${net} `;
}

function portMatch(group: PortGroup, side: "dport" | "sport"): string {
  return group.ports.length === 1
    ? `-m ${group.protocol} --${side} ${group.ports[0]}`
    : `-m multiport --${side}s ${group.ports.join(",")}`;
}

export function opposite(direction: PacketDirection): PacketDirection {
  return direction === "inbound" ? "outbound" : "inbound";
}

/** Failsafe ports of a direction. Ports with the same protocol and net share a rule; a net of the other family is rendered nowhere. */
export function portGroups(config: HookConfig, direction: PacketDirection, family: Family): PortGroup[] {
  const failsafes = direction === "inbound" ? config.failsafeInbound : config.failsafeOutbound;
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
