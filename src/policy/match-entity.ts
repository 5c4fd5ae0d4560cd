/**
 * One side of a rule (source or destination) against one side of a packet:
 * SEMANTICS 1.4 and the effective selectors of 1.9. Part of the reference
 * evaluator: nothing is cached, every set is walked for every packet.
 */
import { cidrContains } from "../address/address.ts";
import type { Address, Family } from "../address/address.ts";
import type { Endpoint, EntityRule, Labels, PortRange, ResourceSet, ServiceBackend } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";

export interface PacketSide {
  readonly side: "source" | "destination";
  readonly address: Address;
  /** The packet's, IP protocol number. */
  readonly protocol: number;
  /** undefined for a packet without ports. */
  readonly port: number | undefined;
}

/** TCP, UDP, SCTP, UDPLite: without a port of their own such a packet is only a part of one. */
const PORT_PROTOCOLS: readonly number[] = [6, 17, 132, 136];

/**
 * A rule exists for an IP version only if each of its net lists, where given,
 * has a member of that version. `notNets` that cover the whole version, which
 * also end a rule, need no case here: no address lies outside them.
 */
export function entityExistsFor(entity: EntityRule, family: Family): boolean {
  return [entity.nets, entity.notNets].every((list) => list.length === 0 || list.some((net) => net.family === family));
}

/** Every criterion that the entity gives must hold (SEMANTICS 1.4). */
export function entityMatches(set: ResourceSet, entity: EntityRule, packet: PacketSide): boolean {
  const { address } = packet;
  return (
    portsMatch(set, entity, packet) &&
    notPortsMatch(set, entity, packet) &&
    (entity.nets.length === 0 || entity.nets.some((net) => cidrContains(net, address))) &&
    !entity.notNets.some((net) => cidrContains(net, address)) &&
    selectorsMatch(set, entity.selector, entity.notSelector, address) &&
    (entity.service === undefined || entity.service.some((backend) => isBackend(backend, packet)))
  );
}

/** Numbers and names are one list: either will do. */
function portsMatch(set: ResourceSet, entity: EntityRule, packet: PacketSide): boolean {
  if (entity.ports.length === 0 && entity.namedPorts.length === 0) return true;
  return portIn(entity.ports, packet.port) || hasNamedPort(set, entity, entity.namedPorts, packet);
}

/**
 * A packet without ports satisfies no criterion on port numbers, not even a negated one. It has no named port, so the
 * negation of names holds for ICMP and the like; not for a part of a TCP packet, whose port is there but unknown.
 */
function notPortsMatch(set: ResourceSet, entity: EntityRule, packet: PacketSide): boolean {
  const { notPorts, notNamedPorts } = entity;
  const isPart = packet.port === undefined && PORT_PROTOCOLS.includes(packet.protocol);
  if (notPorts.length > 0 && (packet.port === undefined || portIn(notPorts, packet.port))) return false;
  return notNamedPorts.length === 0 || (!isPart && !hasNamedPort(set, entity, notNamedPorts, packet));
}

/**
 * Is the packet's address, protocol and port one that an endpoint declares by
 * such a name? Only endpoints count that the entity's positive selector
 * chooses (less `notSelector`), or all if it has none; an unknown name has none.
 */
function hasNamedPort(set: ResourceSet, entity: EntityRule, names: readonly string[], packet: PacketSide): boolean {
  const { selector, notSelector } = entity;
  return [...set.hostEndpoints, ...set.workloadEndpoints].some(
    (endpoint) =>
      (selector === undefined || chosen(selector, notSelector, endpoint.labels)) &&
      addressesOf(endpoint).some((address) => isSame(address, packet.address)) &&
      endpoint.ports.some(
        ({ name, protocol, port }) => names.includes(name) && protocol === packet.protocol && port === packet.port,
      ),
  );
}

/**
 * With `selector`: the address belongs to something that `selector` chooses and
 * `notSelector` does not. With `notSelector` alone: the address belongs to
 * nothing that `notSelector` chooses, so unknown addresses match.
 */
function selectorsMatch(
  set: ResourceSet,
  positive: Selector | undefined,
  negative: Selector | undefined,
  address: Address,
): boolean {
  if (positive !== undefined) return ownedBy(set, address, (labels) => chosen(positive, negative, labels));
  if (negative !== undefined) return !ownedBy(set, address, (labels) => matchesSelector(negative.root, labels));
  return true;
}

function chosen(positive: Selector, negative: Selector | undefined, labels: Labels): boolean {
  return (
    matchesSelector(positive.root, labels) && !(negative !== undefined && matchesSelector(negative.root, labels))
  );
}

/**
 * Does the address belong to a resource whose labels are chosen? Endpoints of
 * every node own their addresses (a HostEndpoint only its expectedIPs: nothing
 * is learnt from interfaces), network sets own their nets.
 */
function ownedBy(set: ResourceSet, address: Address, chooses: (labels: Labels) => boolean): boolean {
  const owns = (endpoint: Endpoint): boolean =>
    addressesOf(endpoint).some((own) => isSame(own, address)) && chooses(endpoint.labels);
  return (
    set.hostEndpoints.some(owns) ||
    set.workloadEndpoints.some(owns) ||
    set.networkSets.some(({ nets, labels }) => nets.some((net) => cidrContains(net, address)) && chooses(labels))
  );
}

/** As a destination, address, protocol and port are one backend's; as a source only the address is. */
function isBackend(backend: ServiceBackend, packet: PacketSide): boolean {
  if (!isSame(backend.address, packet.address)) return false;
  return packet.side === "source" || (backend.protocol === packet.protocol && backend.port === packet.port);
}

function addressesOf(endpoint: Endpoint): readonly Address[] {
  return endpoint.kind === "HostEndpoint" ? endpoint.expectedIPs : endpoint.addresses;
}

function isSame(a: Address, b: Address): boolean {
  return a.family === b.family && a.value === b.value;
}

function portIn(ranges: readonly PortRange[], port: number | undefined): boolean {
  return port !== undefined && ranges.some(({ min, max }) => min <= port && port <= max);
}
