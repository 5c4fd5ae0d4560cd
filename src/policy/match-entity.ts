/**
 * One side of a rule (source or destination) against one side of a packet:
 * SEMANTICS 1.4 and the effective selectors of 1.9. Part of the reference
 * evaluator: nothing is cached, every set is walked for every packet.
 */
import { cidrContains } from "../address/address.ts";
import type { Address, Family } from "../address/address.ts";
import type { EntityRule, Labels, PortRange, ResourceSet } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";

/**
 * A rule exists for an IP version only if each of its net lists, where given,
 * has a member of that version. `notNets` that cover the whole version, which
 * also end a rule, need no case here: no address lies outside them.
 */
export function entityExistsFor(entity: EntityRule, family: Family): boolean {
  return [entity.nets, entity.notNets].every((list) => list.length === 0 || list.some((net) => net.family === family));
}

/** `port` is undefined for a packet without ports; such a packet meets no port criterion, not even a negated one. */
export function entityMatches(
  set: ResourceSet,
  entity: EntityRule,
  address: Address,
  port: number | undefined,
): boolean {
  return (
    (entity.ports.length === 0 || portIn(entity.ports, port)) &&
    (entity.notPorts.length === 0 || (port !== undefined && !portIn(entity.notPorts, port))) &&
    (entity.nets.length === 0 || entity.nets.some((net) => cidrContains(net, address))) &&
    !entity.notNets.some((net) => cidrContains(net, address)) &&
    selectorsMatch(set, entity.selector, entity.notSelector, address)
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
  if (positive !== undefined) {
    return ownedBy(
      set,
      address,
      (labels) =>
        matchesSelector(positive.root, labels) &&
        !(negative !== undefined && matchesSelector(negative.root, labels)),
    );
  }
  if (negative !== undefined) return !ownedBy(set, address, (labels) => matchesSelector(negative.root, labels));
  return true;
}

/**
 * Does the address belong to a resource whose labels are chosen? HostEndpoints
 * of every node own their expectedIPs (nothing is learnt from interfaces),
 * GlobalNetworkSets own their nets.
 */
function ownedBy(set: ResourceSet, address: Address, chooses: (labels: Labels) => boolean): boolean {
  const byEndpoint = set.hostEndpoints.some(
    ({ expectedIPs, labels }) =>
      expectedIPs.some((ip) => ip.family === address.family && ip.value === address.value) && chooses(labels),
  );
  return (
    byEndpoint ||
    set.networkSets.some(({ nets, labels }) => nets.some((net) => cidrContains(net, address)) && chooses(labels))
  );
}

function portIn(ranges: readonly PortRange[], port: number | undefined): boolean {
  return port !== undefined && ranges.some(({ min, max }) => min <= port && port <= max);
}
