/**
 * Resource sets that are valid, small and full of overlaps, and packets aimed at
 * their edges: for comparing two ways of deciding the same thing. Generate one
 * set and many packets for it; everything shrinks.
 */
import * as fc from "fast-check";
import { addressBits, maskAddress } from "../../src/address/address.ts";
import type { Address, Cidr, Family } from "../../src/address/address.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type {
  EntityRule,
  FailsafePort,
  FelixConfiguration,
  GlobalNetworkPolicy,
  HostEndpoint,
  Labels,
  PortRange,
  ResourceSet,
  Rule,
  Tier,
} from "../../src/resources/types.ts";
import type { Selector } from "../../src/selector/ast.ts";
import { parseSelector } from "../../src/selector/parse.ts";
import {
  address,
  felix,
  hostEndpoint,
  networkSet,
  NODE,
  policy,
  PORT_PROTOCOLS,
  PROTOCOL,
  resourceSet,
  rule,
  tier,
} from "./build.ts";

// The order of names is part of the test: `-` and `.` sort before `/` in the tie-breaker, digits after.
const NAMES = ["b", "a", "a-b", "a.b", "a1", "ab", "c", "c-0"];
const ORDERS = [undefined, undefined, 0, 0.5, 10, 10, 100, -1];
const SELECTORS = [
  "",
  "all()",
  "role == 'web'",
  "role != 'web'",
  "has(env)",
  "!has(env)",
  "env in {'prod', 'dev'}",
  "env not in {'prod'}",
  "role == 'web' && env == 'prod' || role == 'db'",
  "!(role starts with 'w')",
  "role in {}",
  "has(constructor)",
].map(parseSelector);
const SEED_ADDRESSES: Readonly<Record<Family, readonly Address[]>> = {
  4: ["0.0.0.0", "10.1.2.3", "10.1.2.4", "10.1.200.3", "192.168.0.1", "255.255.255.255"].map(address),
  6: ["::", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "fe80::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"].map(
    address,
  ),
};
const PREFIXES: Readonly<Record<Family, readonly number[]>> = {
  4: [0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 25, 30, 31, 32, 32],
  6: [0, 1, 8, 10, 31, 32, 33, 47, 48, 63, 64, 65, 127, 128, 128],
};
const RULE_PROTOCOLS = [...PORT_PROTOCOLS, PROTOCOL.icmp, PROTOCOL.icmpv6, 4, 253];
const COMMON_PROTOCOLS = [PROTOCOL.tcp, PROTOCOL.tcp, PROTOCOL.udp];
const NUMBERED_PORT_PROTOCOLS: readonly number[] = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp];

const family = fc.constantFrom<Family>(4, 6);

/** Unset one time in `per`. */
function unlessOnce<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: per - 1 });
}

/** Set one time in `per`. */
function once<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: per - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

/** One to three, one time in `per`; else none. */
function few<T>(per: number, value: fc.Arbitrary<T>): fc.Arbitrary<readonly T[]> {
  return fc.oneof(
    { weight: per - 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(value, { minLength: 1, maxLength: 3 }) },
  );
}

/** A set with at least one HostEndpoint of `NODE`, valid by SEMANTICS 1 but for `notNets` that cover everything. */
export function arbitraryResourceSet(): fc.Arbitrary<ResourceSet> {
  return arbitraryTiers().chain((tiers) =>
    fc
      .record({
        policies: fc.array(arbitraryPolicy(["default", "kube-admin", ...tiers.map(({ name }) => name)]), {
          minLength: 1,
          maxLength: NAMES.length,
          size: "max",
        }),
        hostEndpoints: fc
          .tuple(arbitraryHostEndpoint(fc.constant(NODE)), fc.array(arbitraryHostEndpoint(), { maxLength: 4 }))
          .map(([own, others]) => [own, ...others]),
        networkSets: fc.array(fc.tuple(arbitraryLabels(), few(1, arbitraryFamilyCidr())), { maxLength: 4 }),
        felixConfigurations: arbitraryFelix(),
      })
      .map(({ policies, hostEndpoints, networkSets, felixConfigurations }) =>
        resourceSet({
          tiers,
          policies: policies.map((each, i) => ({ ...each, name: NAMES[i] as string })),
          hostEndpoints: hostEndpoints.map((each, i) => ({ ...each, name: NAMES[i] as string })),
          networkSets: networkSets.map(([labels, nets], i) => ({
            ...networkSet(NAMES[i] as string, labels, []),
            nets,
          })),
          felixConfigurations,
        }),
      ),
  );
}

function arbitraryTiers(): fc.Arbitrary<Tier[]> {
  const each = fc.tuple(
    fc.constantFrom(undefined, 10, 10, 2_000_000),
    fc.constantFrom<Tier["defaultAction"]>("Deny", "Pass"),
  );
  return fc
    .array(each, { maxLength: 3 })
    .map((list) => list.map(([order, defaultAction], i) => tier(`tier-${i}`, order, defaultAction)));
}

function arbitraryPolicy(tiers: readonly string[]): fc.Arbitrary<GlobalNetworkPolicy> {
  const rules = fc.array(arbitraryRule(), { maxLength: 5, size: "max" });
  return fc
    .record({
      tier: fc.constantFrom(...tiers),
      order: fc.constantFrom(...ORDERS),
      selector: fc.oneof(fc.constant(SELECTORS[0] as Selector), fc.constantFrom(...SELECTORS)),
      types: fc.constantFrom<GlobalNetworkPolicy["types"]>(["ingress"], ["egress"], ["ingress", "egress"]),
      ingress: rules,
      egress: rules,
      applyOnForward: fc.boolean(),
    })
    .map((fields) => ({ ...policy(), ...fields }));
}

/** All nets of a rule have one IP version, which agrees with the rule's; numbered ports come with a protocol. */
function arbitraryRule(): fc.Arbitrary<Rule> {
  return family.chain((version) =>
    fc
      .record({
        action: fc.constantFrom<Rule["action"]>("Allow", "Allow", "Allow", "Deny", "Deny", "Log", "Pass"),
        ipVersion: once(3, fc.constant(version)),
        protocol: unlessOnce(3, fc.constantFrom(...COMMON_PROTOCOLS, ...RULE_PROTOCOLS)),
        notProtocol: once(6, fc.constantFrom(...RULE_PROTOCOLS)),
        icmp: once(2, arbitraryIcmp()),
        notIcmp: once(6, arbitraryIcmp()),
        source: arbitraryEntity(version),
        destination: arbitraryEntity(version),
      })
      .map((fields): Rule => {
        const { protocol } = fields;
        const portless = !NUMBERED_PORT_PROTOCOLS.includes(protocol ?? 0);
        const isIcmp = protocol === PROTOCOL.icmp || protocol === PROTOCOL.icmpv6;
        const icmpVersion = protocol === PROTOCOL.icmp ? 4 : 6;
        return {
          ...rule(),
          ...fields,
          ipVersion: isIcmp && version !== icmpVersion ? undefined : fields.ipVersion,
          icmp: isIcmp ? fields.icmp : undefined,
          source: portless ? withoutPorts(fields.source) : fields.source,
          destination: portless ? withoutPorts(fields.destination) : fields.destination,
        };
      }),
  );
}

function arbitraryEntity(version: Family): fc.Arbitrary<EntityRule> {
  const selector = fc.constantFrom(...SELECTORS);
  return fc.record({
    nets: few(3, arbitraryCidr(version)),
    // A prefix of length 0 makes the whole rule vanish: allowed in third place only, so that it stays rare.
    notNets: few(5, arbitraryCidr(version)).map((nets) => nets.filter((net, i) => net.prefix !== 0 || i === 2)),
    selector: once(5, selector),
    notSelector: once(6, selector),
    ports: few(3, arbitraryPorts()),
    notPorts: few(6, arbitraryPorts()),
  });
}

function withoutPorts(entity: EntityRule): EntityRule {
  return { ...entity, ports: [], notPorts: [] };
}

function arbitraryPorts(): fc.Arbitrary<PortRange> {
  const port = fc.constantFrom(1, 22, 53, 80, 81, 443, 1024, 32_768, 65_534, 65_535);
  return fc.oneof(
    port.map((each) => ({ min: each, max: each })),
    fc.tuple(port, port).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
  );
}

function arbitraryIcmp(): fc.Arbitrary<Rule["icmp"]> {
  const type = fc.constantFrom(0, 3, 8, 128, 129, 254);
  return fc.oneof(
    fc.constant({ type: undefined, code: undefined }),
    type.map((each) => ({ type: each, code: undefined })),
    fc.tuple(type, fc.constantFrom(0, 1, 255)).map(([each, code]) => ({ type: each, code })),
  );
}

function arbitraryHostEndpoint(node = fc.constantFrom(NODE, NODE, "other-node")): fc.Arbitrary<HostEndpoint> {
  const ip = family.chain((version) => fc.constantFrom(...SEED_ADDRESSES[version]));
  return fc
    .record({
      node,
      interfaceName: fc.constantFrom("eth0", "eth1", "*", undefined),
      expectedIPs: few(2, ip),
      profiles: fc.constantFrom<readonly string[]>([], [], ["projectcalico-default-allow"]),
      labels: arbitraryLabels(),
    })
    .map((fields) => ({
      ...hostEndpoint(),
      ...fields,
      expectedIPs:
        fields.interfaceName === undefined && fields.expectedIPs.length === 0
          ? [address("10.1.2.3")]
          : fields.expectedIPs,
    }));
}

function arbitraryLabels(): fc.Arbitrary<Labels> {
  const entry = fc.constantFrom<[string, string]>(
    ["role", "web"],
    ["role", "web"],
    ["role", "db"],
    ["env", "prod"],
    ["env", "dev"],
    ["constructor", "x"],
  );
  return fc.array(entry, { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
}

function arbitraryFelix(): fc.Arbitrary<FelixConfiguration[]> {
  const port: fc.Arbitrary<FailsafePort> = fc.record({
    protocol: fc.constantFrom<FailsafePort["protocol"]>("tcp", "udp", "sctp"),
    port: fc.constantFrom(22, 53, 80, 443, 65_535),
    net: once(2, arbitraryFamilyCidr()),
  });
  const configuration = (name: string): fc.Arbitrary<FelixConfiguration> =>
    fc
      .record({ failsafeInbound: once(2, few(2, port)), failsafeOutbound: once(2, few(2, port)) })
      .map((lists) => felix({ name, ...lists }));
  const names = fc.subarray(["default", `node.${NODE}`, "node.other-node"]);
  return names.chain((list) => fc.tuple(...list.map(configuration)));
}

function arbitraryFamilyCidr(): fc.Arbitrary<Cidr> {
  return family.chain(arbitraryCidr);
}

function arbitraryCidr(version: Family): fc.Arbitrary<Cidr> {
  return fc
    .tuple(fc.constantFrom(...SEED_ADDRESSES[version]), fc.constantFrom(...PREFIXES[version]))
    .map(([{ value }, prefix]) => ({ family: version, value: maskAddress(value, version, prefix), prefix }));
}

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

/**
 * Packets at the set's edges: the first and last address of each prefix and
 * their neighbours, both ends of each port range and one beyond, the ICMP types
 * of the rules. Each packet aims at one rule, but strays in a field now and then.
 */
export function arbitraryPacketFor(set: ResourceSet): fc.Arbitrary<PolicyPacket> {
  const rules = set.policies.flatMap(({ ingress, egress }) => [...ingress, ...egress]);
  const anywhere = wholeSet(set, rules);
  const targets = rules.map((each) => aimAt(each, anywhere));
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

function wholeSet(set: ResourceSet, rules: readonly Rule[]): Target {
  const entities = rules.flatMap(({ source, destination }) => [source, destination]);
  const failsafes = set.felixConfigurations.flatMap((each) => [
    ...(each.failsafeInbound ?? []),
    ...(each.failsafeOutbound ?? []),
  ]);
  const addresses = [
    ...set.networkSets.flatMap(({ nets }) => nets.flatMap(netEdges)),
    ...set.hostEndpoints.flatMap(({ expectedIPs }) => expectedIPs),
    ...entities.flatMap(({ nets, notNets }) => [...nets, ...notNets].flatMap(netEdges)),
    ...failsafes.flatMap(({ net }) => (net === undefined ? [] : netEdges(net))),
    ...SEED_ADDRESSES[4],
    ...SEED_ADDRESSES[6],
  ];
  const ports = [
    ...entities.flatMap((each) => [...each.ports, ...each.notPorts].flatMap(portEdges)),
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

function aimAt(target: Rule, anywhere: Target): Target {
  const nets = (entity: EntityRule): readonly Address[] =>
    firstNotEmpty([...entity.nets, ...entity.notNets].flatMap(netEdges), anywhere.sources);
  const ports = (entity: EntityRule): readonly number[] =>
    firstNotEmpty([...entity.ports, ...entity.notPorts].flatMap(portEdges), anywhere.sourcePorts);
  const net = [target.source, target.destination].flatMap((each) => [...each.nets, ...each.notNets])[0];
  const version = target.ipVersion ?? net?.family;
  return {
    families: version === undefined ? anywhere.families : [version],
    protocols: firstNotEmpty(target.protocol === undefined ? [] : [target.protocol], anywhere.protocols),
    sources: nets(target.source),
    destinations: nets(target.destination),
    sourcePorts: ports(target.source),
    destinationPorts: ports(target.destination),
    icmp: firstNotEmpty(icmpEdges(target), anywhere.icmp),
  };
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
