/**
 * Why a rule does not match a packet. Each criterion of the rule is asked on
 * its own, as a rule that has nothing else, so that what a criterion means is
 * said in one place only: the reference evaluator.
 */
import type { Address } from "../address/address.ts";
import { formatAddress, formatCidr } from "../address/address.ts";
import type { PolicyPacket } from "../policy/decision.ts";
import { ruleMatches } from "../policy/match-rule.ts";
import { NO_CONSTRAINT } from "../resources/entity-rule.ts";
import type { EntityRule, IcmpMatch, PortRange, ResourceSet, Rule, ServiceBackend } from "../resources/types.ts";
import { protocolName } from "./question.ts";

export interface FailedCriterion {
  /** Its field in the rule: `protocol`, `source.selector`, ... */
  readonly criterion: string;
  readonly wanted: string;
  /** What the packet has instead. */
  readonly got: string;
}

/** The criteria that `packet` fails; empty exactly if the rule matches. */
export function failedCriteria(
  set: ResourceSet,
  rule: Rule,
  packet: PolicyPacket,
  nameOf: (address: Address) => string,
): FailedCriterion[] {
  if (ruleMatches(set, rule, packet)) return [];
  const failed = criteria(rule, packet, nameOf)
    .filter(({ only }) => !ruleMatches(set, { ...ANY_PACKET, ...only }, packet))
    .map(({ criterion, wanted, got }) => ({ criterion, wanted, got }));
  // An address can belong to two endpoints of which neither meets selector and port name together.
  const together = { criterion: "rule", wanted: "all criteria at once", got: "each is met, but not by one endpoint" };
  return failed.length > 0 ? failed : [together];
}

interface Criterion extends FailedCriterion {
  readonly only: Partial<Rule>;
}

const ANY_PACKET: Rule = {
  action: "Allow",
  ipVersion: undefined,
  protocol: undefined,
  notProtocol: undefined,
  icmp: undefined,
  notIcmp: undefined,
  source: NO_CONSTRAINT,
  destination: NO_CONSTRAINT,
  location: { file: "", line: 1, column: 1 },
};

function criteria(rule: Rule, packet: PolicyPacket, nameOf: (address: Address) => string): Criterion[] {
  const { ipVersion, protocol, notProtocol, icmp, notIcmp } = rule;
  const list: Criterion[] = [];
  const add = (criterion: string, wanted: string, got: string, only: Partial<Rule>): void => {
    list.push({ criterion, wanted, got, only });
  };
  const carried = protocolName(packet.protocol);
  const { icmpType: type, icmpCode: code } = packet;
  const icmpOfPacket = type === undefined ? carried : icmpText({ type, code });
  if (ipVersion !== undefined) add("ipVersion", String(ipVersion), String(packet.family), { ipVersion });
  if (protocol !== undefined) {
    const got = packet.protocol === protocol ? `${carried} over IPv${packet.family}` : carried;
    add("protocol", protocolName(protocol), got, { protocol });
  }
  if (notProtocol !== undefined) add("notProtocol", `not ${protocolName(notProtocol)}`, carried, { notProtocol });
  if (icmp !== undefined) add("icmp", icmpText(icmp), icmpOfPacket, { icmp });
  if (notIcmp !== undefined) add("notICMP", `not ${icmpText(notIcmp)}`, icmpOfPacket, { notIcmp });
  // A port name is one of a protocol; that the protocol is another one is a criterion of its own.
  const named = protocol === packet.protocol ? { protocol } : {};
  for (const side of ["source", "destination"] as const) {
    const address = nameOf({ family: packet.family, value: packet[side] });
    const port = side === "source" ? packet.sourcePort : packet.destinationPort;
    for (const { field, wanted, isPort, only } of entityCriteria(rule[side])) {
      const got = isPort ? (port === undefined ? "no port" : String(port)) : address;
      add(`${side}.${field}`, wanted, got, { ...named, [side]: { ...NO_CONSTRAINT, ...only } });
    }
  }
  return list;
}

interface EntityCriterion {
  readonly field: string;
  readonly wanted: string;
  readonly isPort: boolean;
  readonly only: Partial<EntityRule>;
}

function entityCriteria(entity: EntityRule): EntityCriterion[] {
  const { nets, notNets, selector, notSelector, ports, namedPorts, notPorts, notNamedPorts, service } = entity;
  const list: EntityCriterion[] = [];
  const add = (field: string, wanted: string, only: Partial<EntityRule>, isPort = false): void => {
    list.push({ field, wanted, isPort, only });
  };
  if (nets.length > 0) add("nets", nets.map(formatCidr).join(", "), { nets });
  if (notNets.length > 0) add("notNets", `not ${notNets.map(formatCidr).join(", ")}`, { notNets });
  if (selector !== undefined) {
    const but = notSelector === undefined ? "" : `, but not ${notSelector.text}`;
    add("selector", `${selector.text}${but}`, { selector, notSelector });
  } else if (notSelector !== undefined) {
    add("notSelector", `not ${notSelector.text}`, { notSelector });
  }
  if (ports.length + namedPorts.length > 0) {
    add("ports", portsText(ports, namedPorts), { ports, namedPorts }, true);
  }
  if (notPorts.length + notNamedPorts.length > 0) {
    add("notPorts", `not ${portsText(notPorts, notNamedPorts)}`, { notPorts, notNamedPorts }, true);
  }
  if (service !== undefined) add("services", backendsText(service), { service });
  return list;
}

function portsText(ranges: readonly PortRange[], names: readonly string[]): string {
  return [...ranges.map(({ min, max }) => (min === max ? String(min) : `${min}:${max}`)), ...names].join(", ");
}

function icmpText({ type, code }: IcmpMatch): string {
  return [`type ${type ?? "any"}`, ...(code === undefined ? [] : [`code ${code}`])].join(" ");
}

function backendsText(backends: readonly ServiceBackend[]): string {
  if (backends.length === 0) return "a service without backends";
  const texts = backends.map(
    ({ address, protocol, port }) => `${formatAddress(address)} ${protocolName(protocol)} ${port}`,
  );
  const shown = texts.slice(0, 4).join(", ");
  return texts.length > 4 ? `${shown} and ${texts.length - 4} more` : shown;
}
