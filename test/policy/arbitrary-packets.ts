/**
 * Packets aimed at the edges of a resource set: the first and last address of
 * each prefix and their neighbours, both ends of each port range and one
 * beyond, named ports and services where they live, the ICMP types of rules.
 */
import * as fc from "fast-check";
import { addressBits } from "../../src/address/address.ts";
import type { Address, Cidr, Family } from "../../src/address/address.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type { Endpoint, EntityRule, PortRange, ResourceSet, Rule } from "../../src/resources/types.ts";
import { COMMON_PROTOCOLS, RULE_PROTOCOLS, SEED_ADDRESSES } from "./arbitrary-values.ts";
import { PORT_PROTOCOLS, PROTOCOL } from "./build.ts";

const OTHER_PORTS = [0, 22, 53, 68, 6443, 40_000, 65_535];

/** What a packet may take from: the edges of one rule where it has any, else of the whole set. */
interface Target {
  readonly families: readonly Family[];
  readonly protocols: readonly number[];
  readonly sources: readonly Address[];
  readonly destinations: readonly Address[];
  readonly sourcePorts: readonly number[];
  readonly destinationPorts: readonly number[];
  readonly icmp: readonly (readonly [type: number, code: number])[];
}

/** Each packet aims at one rule of a policy or profile, but strays in a field now and then. */
export function arbitraryPacketFor(set: ResourceSet): fc.Arbitrary<PolicyPacket> {
  const rules = [...set.policies, ...set.profiles.values()].flatMap(({ ingress, egress }) => [...ingress, ...egress]);
  const endpoints = [...set.hostEndpoints, ...set.workloadEndpoints];
  const anywhere = wholeSet(set, rules, endpoints);
  const targets = rules.map((each) => aimAt(each, anywhere, endpoints));
  const number = fc.noBias(fc.nat());
  const stray = fc.noBias(fc.nat({ max: 9 })).map((n) => n === 9);
  const field = fc.tuple(stray, number);
  return fc.tuple(number, field, field, field, field, field, field, field).map(([n, ...fields]): PolicyPacket => {
    const target = pick([...targets, anywhere], n);
    const choose = <T>(i: number, key: (from: Target) => readonly T[]): T => {
      const [strays, k] = fields[i] as [boolean, number];
      return pick(key(strays ? anywhere : target), k);
    };
    const version = choose(0, (from) => from.families);
    const protocol = choose(1, (from) => from.protocols);
    const ofVersion = (list: readonly Address[]): readonly Address[] => {
      const own = list.filter((each) => each.family === version);
      return own.length > 0 ? own : SEED_ADDRESSES[version];
    };
    const hasPorts = PORT_PROTOCOLS.includes(protocol);
    const [type, code] = choose(6, (from) => from.icmp);
    const isIcmp = protocol === (version === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6);
    return {
      family: version,
      protocol,
      source: choose(2, (from) => ofVersion(from.sources)).value,
      destination: choose(3, (from) => ofVersion(from.destinations)).value,
      sourcePort: hasPorts ? choose(4, (from) => from.sourcePorts) : undefined,
      destinationPort: hasPorts ? choose(5, (from) => from.destinationPorts) : undefined,
      icmpType: isIcmp ? type : undefined,
      icmpCode: isIcmp ? code : undefined,
    };
  });
}

function wholeSet(set: ResourceSet, rules: readonly Rule[], endpoints: readonly Endpoint[]): Target {
  const entities = rules.flatMap(({ source, destination }) => [source, destination]);
  const failsafes = set.felixConfigurations.flatMap((each) => [
    ...(each.failsafeInbound ?? []),
    ...(each.failsafeOutbound ?? []),
  ]);
  const addresses = [
    ...set.networkSets.flatMap(({ nets }) => nets.flatMap(netEdges)),
    ...endpoints.flatMap(addressesOf),
    ...entities.flatMap(({ nets, notNets }) => [...nets, ...notNets].flatMap(netEdges)),
    ...failsafes.flatMap(({ net }) => (net === undefined ? [] : netEdges(net))),
    ...SEED_ADDRESSES[4],
    ...SEED_ADDRESSES[6],
  ];
  const ports = [
    ...entities.flatMap((each) => [...each.ports, ...each.notPorts].flatMap(portEdges)),
    ...endpoints.flatMap((each) => each.ports.map(({ port }) => port)),
    ...failsafes.map(({ port }) => port),
    ...OTHER_PORTS,
  ];
  return {
    families: [4, 6],
    protocols: [...COMMON_PROTOCOLS, ...RULE_PROTOCOLS, 0, 255],
    sources: addresses,
    destinations: addresses,
    sourcePorts: ports,
    destinationPorts: ports,
    icmp: [[0, 0], [8, 0], [128, 0], [255, 255], ...rules.flatMap((each) => icmpEdges(each))],
  };
}

function aimAt(target: Rule, anywhere: Target, endpoints: readonly Endpoint[]): Target {
  const addresses = (entity: EntityRule): readonly Address[] => {
    const named = endpoints.filter((each) => each.ports.some(({ name }) => portNames(entity).includes(name)));
    const backends = (entity.service ?? []).map(({ address }) => address);
    const edges = [...entity.nets, ...entity.notNets].flatMap(netEdges);
    return firstNotEmpty([...edges, ...backends, ...named.flatMap(addressesOf)], anywhere.sources);
  };
  const ports = (entity: EntityRule): readonly number[] => {
    const named = endpoints.flatMap((each) => each.ports.filter(({ name }) => portNames(entity).includes(name)));
    const edges = [...entity.ports, ...entity.notPorts].flatMap(portEdges);
    return firstNotEmpty(
      [...edges, ...[...named, ...(entity.service ?? [])].map(({ port }) => port)],
      anywhere.sourcePorts,
    );
  };
  const net = [target.source, target.destination].flatMap((each) => [...each.nets, ...each.notNets])[0];
  const version = target.ipVersion ?? net?.family;
  return {
    families: version === undefined ? anywhere.families : [version],
    protocols: firstNotEmpty(target.protocol === undefined ? [] : [target.protocol], anywhere.protocols),
    sources: addresses(target.source),
    destinations: addresses(target.destination),
    sourcePorts: ports(target.source),
    destinationPorts: ports(target.destination),
    icmp: firstNotEmpty(icmpEdges(target), anywhere.icmp),
  };
}

function portNames({ namedPorts, notNamedPorts }: EntityRule): readonly string[] {
  return [...namedPorts, ...notNamedPorts];
}

function addressesOf(endpoint: Endpoint): readonly Address[] {
  return endpoint.kind === "HostEndpoint" ? endpoint.expectedIPs : endpoint.addresses;
}

function firstNotEmpty<T>(edges: readonly T[], others: readonly T[]): readonly T[] {
  return edges.length > 0 ? edges : others;
}

function netEdges({ family: version, value, prefix }: Cidr): Address[] {
  const bits = addressBits(version);
  const last = value + (1n << BigInt(bits - prefix)) - 1n;
  return [value, last, value - 1n, last + 1n]
    .filter((each) => each >= 0n && each < 1n << BigInt(bits))
    .map((each) => ({ family: version, value: each }));
}

function portEdges({ min, max }: PortRange): number[] {
  return [min, max, min - 1, max + 1].filter((port) => port <= 65_535);
}

function icmpEdges({ icmp, notIcmp }: Rule): (readonly [number, number])[] {
  return [icmp, notIcmp].flatMap((match) => {
    if (match?.type === undefined) return [];
    const code = match.code ?? 0;
    return [[match.type, code] as const, [match.type, code ^ 1] as const, [match.type + 1, code] as const];
  });
}

function pick<T>(list: readonly T[], n: number): T {
  return list[n % list.length] as T;
}
