/** What can be said of a rule's packets from the rule alone, never of too few of them. */
import type { Cidr, Family } from "../address/address.ts";
import { addressBits } from "../address/address.ts";
import { entityExistsFor } from "../policy/match-entity.ts";
import { ICMP, ICMPV6 } from "../resources/protocol.ts";
import type { EntityRule, Rule } from "../resources/types.ts";
import type { PortSet } from "./port-set.ts";
import { EVERY_PORT, portSet, withoutPorts } from "./port-set.ts";

export interface RuleExtent {
  readonly rule: Rule;
  /** IP versions the rule exists for (SEMANTICS 1.4); empty: it matches nothing. */
  readonly families: readonly Family[];
  readonly source: EntityExtent;
  readonly destination: EntityExtent;
}

export interface EntityExtent {
  readonly entity: EntityRule;
  readonly ports: PortSet;
  readonly notPorts: PortSet;
  /** `ports` without `notPorts`. */
  readonly numbered: PortSet;
  /** The ports a packet of the rule can have; undefined: any, or none at all. */
  readonly possible: PortSet | undefined;
}

const FAMILIES: readonly Family[] = [4, 6];

export function ruleExtent(rule: Rule): RuleExtent {
  return {
    rule,
    families: FAMILIES.filter((family) => existsFor(rule, family)),
    source: entityExtent(rule.source),
    destination: entityExtent(rule.destination),
  };
}

/** The rule's packets are all ICMP, or all something else; undefined: some may be either. */
export function isIcmpRule({ protocol, icmp }: Rule): boolean | undefined {
  if (icmp !== undefined || protocol === ICMP || protocol === ICMPV6) return true;
  return protocol === undefined ? undefined : false;
}

/** Prefixes of one IP version that hold every address of the side. */
export function netsOf({ nets }: EntityRule, family: Family): readonly Cidr[] {
  return nets.length === 0 ? [{ family, value: 0n, prefix: 0 }] : nets.filter((net) => net.family === family);
}

export function netContains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const hostBits = BigInt(addressBits(outer.family) - outer.prefix);
  return inner.value >> hostBits === outer.value >> hostBits;
}

function existsFor(rule: Rule, family: Family): boolean {
  if (rule.ipVersion !== undefined && rule.ipVersion !== family) return false;
  if (rule.protocol === ICMP && family !== 4) return false;
  if (rule.protocol === ICMPV6 && family !== 6) return false;
  return entityExistsFor(rule.source, family) && entityExistsFor(rule.destination, family);
}

function entityExtent(entity: EntityRule): EntityExtent {
  const ports = portSet(entity.ports);
  const notPorts = portSet(entity.notPorts);
  const numbered = withoutPorts(ports, notPorts);
  return { entity, ports, notPorts, numbered, possible: possiblePorts(entity, numbered, notPorts) };
}

function possiblePorts(entity: EntityRule, numbered: PortSet, notPorts: PortSet): PortSet | undefined {
  if (entity.ports.length > 0 && entity.namedPorts.length === 0) return numbered;
  return notPorts.length > 0 ? withoutPorts(EVERY_PORT, notPorts) : undefined;
}
