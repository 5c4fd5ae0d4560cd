/**
 * Where tunnels between nodes end (SEMANTICS 3.7): the addresses of Nodes and
 * HostEndpoints, whichever node they are of, and what FelixConfiguration adds.
 */
import type { Cidr } from "../address/address.ts";
import { addressBits, formatCidr } from "../address/address.ts";
import type { ResourceSet } from "../resources/types.ts";
import { effectiveFelix } from "./failsafe.ts";

/** As the node knows them: in order, once each; also its own, which tunnel to themselves harmlessly. */
export function tunnelEnds(set: ResourceSet, node: string): Cidr[] {
  const addresses = [
    ...(set.nodes ?? []).flatMap((each) => each.addresses),
    ...set.hostEndpoints.flatMap(({ expectedIPs }) => expectedIPs),
  ];
  const hosts = addresses.map(({ family, value }): Cidr => ({ family, value, prefix: addressBits(family) }));
  const ends = new Map([...hosts, ...effectiveFelix(set, node).externalNodes].map((end) => [formatCidr(end), end]));
  return [...ends].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, end]) => end);
}
