/**
 * IPv6 without which no neighbour is found (SEMANTICS 3.7): conntrack does not
 * track it, so no connection of it is ever known, and it never waits for the
 * daemon.
 */
import { rule } from "./rule.ts";

/** RFC 4861: router and neighbour solicitation and advertisement; valid only with hop limit 255: from the link. */
const NEIGHBOUR_DISCOVERY_TYPES = [133, 134, 135, 136];
/** What of it a workload may send to its host: no router advertisement. */
const WORKLOAD_NEIGHBOUR_DISCOVERY_TYPES = [133, 135, 136];
/** RFC 2710 and RFC 3810: multicast listener query, report, done, version 2 report. */
const LISTENER_DISCOVERY_TYPES = [130, 131, 132, 143];
const WORKLOAD_LISTENER_DISCOVERY_TYPES = [130, 131, 132];

/** One rule a type; `make` is rule or gotoRule. */
export function neighbourRules(make: typeof rule, target: string): string[] {
  return typeRules(NEIGHBOUR_DISCOVERY_TYPES, LISTENER_DISCOVERY_TYPES, make, target);
}

/** The same for what comes from a workload interface. */
export function workloadNeighbourRules(): string[] {
  return typeRules(WORKLOAD_NEIGHBOUR_DISCOVERY_TYPES, WORKLOAD_LISTENER_DISCOVERY_TYPES, rule, "ACCEPT");
}

function typeRules(neighbour: number[], listener: number[], make: typeof rule, target: string): string[] {
  return [
    ...neighbour.map((type) => make("neighbour-discovery", `${icmpv6Match(type)} -m hl --hl-eq 255`, target)),
    ...listener.map((type) => make("multicast-listener", `${icmpv6Match(type)} -m hl --hl-eq 1`, target)),
  ];
}

function icmpv6Match(type: number): string {
  return `-p ipv6-icmp -m icmp6 --icmpv6-type ${type}`;
}
