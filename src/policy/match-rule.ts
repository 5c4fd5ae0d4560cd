/**
 * Does a rule match a packet? Every criterion that is given must hold
 * (SEMANTICS 1.3); a rule that does not exist for the packet's IP version
 * matches none of its packets. Part of the reference evaluator.
 */
import type { Family } from "../address/address.ts";
import type { IcmpMatch, ResourceSet, Rule } from "../resources/types.ts";
import type { PolicyPacket } from "./decision.ts";
import { entityExistsFor, entityMatches } from "./match-entity.ts";
import type { PacketSide } from "./match-entity.ts";

const ICMP = 1;
const ICMPV6 = 58;

export function ruleMatches(set: ResourceSet, rule: Rule, packet: PolicyPacket): boolean {
  const { family } = packet;
  return (
    ruleExistsFor(rule, family) &&
    (rule.protocol === undefined || rule.protocol === packet.protocol) &&
    (rule.notProtocol === undefined || rule.notProtocol !== packet.protocol) &&
    icmpHolds(rule.icmp, packet) &&
    notIcmpHolds(rule.notIcmp, packet) &&
    entityMatches(set, rule.source, sideOf(packet, "source")) &&
    entityMatches(set, rule.destination, sideOf(packet, "destination"))
  );
}

function sideOf(packet: PolicyPacket, side: PacketSide["side"]): PacketSide {
  const { family, protocol } = packet;
  return side === "source"
    ? { side, address: { family, value: packet.source }, protocol, port: packet.sourcePort }
    : { side, address: { family, value: packet.destination }, protocol, port: packet.destinationPort };
}

/** SEMANTICS 1.4, last paragraphs; protocol ICMP is an IPv4 rule and ICMPv6 an IPv6 rule, whatever else they say. */
function ruleExistsFor(rule: Rule, family: Family): boolean {
  if (rule.ipVersion !== undefined && rule.ipVersion !== family) return false;
  if (rule.protocol === ICMP && family !== 4) return false;
  if (rule.protocol === ICMPV6 && family !== 6) return false;
  return entityExistsFor(rule.source, family) && entityExistsFor(rule.destination, family);
}

function icmpHolds(match: IcmpMatch | undefined, packet: PolicyPacket): boolean {
  if (match === undefined) return true;
  return isIcmp(packet) && typeAndCodeMatch(match, packet);
}

/** A packet that is not ICMP satisfies the negation; an ICMP packet whose type is unknown does not. */
function notIcmpHolds(match: IcmpMatch | undefined, packet: PolicyPacket): boolean {
  if (match === undefined || !isIcmp(packet)) return true;
  return packet.icmpType !== undefined && !typeAndCodeMatch(match, packet);
}

function typeAndCodeMatch(match: IcmpMatch, packet: PolicyPacket): boolean {
  return (
    (match.type === undefined || match.type === packet.icmpType) &&
    (match.code === undefined || match.code === packet.icmpCode)
  );
}

function isIcmp(packet: PolicyPacket): boolean {
  return packet.protocol === (packet.family === 4 ? ICMP : ICMPV6);
}
