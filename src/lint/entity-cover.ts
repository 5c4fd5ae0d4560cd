/** One side of a rule against the same side of another: every criterion of the wide one follows from the narrow one. */
import type { Family } from "../address/address.ts";
import type { EntityRule, ServiceBackend } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { containsPorts, sharePorts } from "./port-set.ts";
import { netContains, netsOf } from "./rule-extent.ts";
import type { EntityExtent } from "./rule-extent.ts";
import { selectsAllOf } from "./selector-conjuncts.ts";

/** `families`: the IP versions the narrow rule exists for. */
export function coversEntity(
  wide: EntityExtent,
  narrow: EntityExtent,
  families: readonly Family[],
  side: "source" | "destination",
): boolean {
  return (
    coversPorts(wide, narrow) &&
    coversNotPorts(wide, narrow) &&
    coversNotNamedPorts(wide.entity, narrow.entity) &&
    coversSelectors(wide.entity, narrow.entity) &&
    coversService(wide.entity, narrow.entity, side) &&
    families.every((family) => coversNets(wide.entity, narrow.entity, family))
  );
}

function coversPorts(wide: EntityExtent, narrow: EntityExtent): boolean {
  if (wide.ports.length === 0 && wide.entity.namedPorts.length === 0) return true;
  if (narrow.possible !== undefined && containsPorts(wide.ports, narrow.possible)) return true;
  const { ports, namedPorts } = narrow.entity;
  if (ports.length === 0 && namedPorts.length === 0) return false;
  return (
    containsPorts(wide.ports, narrow.numbered) &&
    (namedPorts.length === 0 || declaresAllOf(wide.entity, wide.entity.namedPorts, narrow.entity, namedPorts))
  );
}

/** A negation of port numbers needs a packet that has a port. */
function coversNotPorts(wide: EntityExtent, narrow: EntityExtent): boolean {
  if (wide.notPorts.length === 0) return true;
  return narrow.possible !== undefined && !sharePorts(wide.notPorts, narrow.possible);
}

function coversNotNamedPorts(wide: EntityRule, narrow: EntityRule): boolean {
  if (wide.notNamedPorts.length === 0) return true;
  if (narrow.notNamedPorts.length === 0) return false;
  return declaresAllOf(narrow, narrow.notNamedPorts, wide, wide.notNamedPorts);
}

/** Is every port that `narrow` finds by its names one that `wide` finds by its own? */
function declaresAllOf(
  wide: EntityRule,
  wideNames: readonly string[],
  narrow: EntityRule,
  narrowNames: readonly string[],
): boolean {
  if (!narrowNames.every((name) => wideNames.includes(name))) return false;
  if (wide.selector === undefined) return true;
  return narrow.selector !== undefined && coversSelectors(wide, narrow);
}

/** A negation alone speaks of every owner of an address, so that it follows from the same negation only. */
function coversSelectors(wide: EntityRule, narrow: EntityRule): boolean {
  const { selector, notSelector } = wide;
  if (selector === undefined) {
    return notSelector === undefined || (narrow.selector === undefined && isSame(notSelector, narrow.notSelector));
  }
  if (narrow.selector === undefined || !selectsAllOf(selector, narrow.selector)) return false;
  return notSelector === undefined || isSame(notSelector, narrow.notSelector);
}

function isSame(a: Selector, b: Selector | undefined): boolean {
  return a.key === b?.key;
}

function coversService(wide: EntityRule, narrow: EntityRule, side: "source" | "destination"): boolean {
  if (wide.service === undefined) return true;
  if (narrow.service === undefined || narrow.service.length === 0) return false;
  const backends = wide.service;
  return narrow.service.every((backend) => backends.some((other) => isBackend(other, backend, side)));
}

function isBackend(a: ServiceBackend, b: ServiceBackend, side: "source" | "destination"): boolean {
  if (a.address.family !== b.address.family || a.address.value !== b.address.value) return false;
  return side === "source" || (a.protocol === b.protocol && a.port === b.port);
}

function coversNets(wide: EntityRule, narrow: EntityRule, family: Family): boolean {
  const inner = netsOf(narrow, family);
  const contained = inner.every((net) => netsOf(wide, family).some((outer) => netContains(outer, net)));
  return (
    contained &&
    wide.notNets
      .filter((net) => net.family === family)
      .every(
        (net) =>
          narrow.notNets.some((outer) => netContains(outer, net)) ||
          inner.every((own) => !netContains(own, net) && !netContains(net, own)),
      )
  );
}
