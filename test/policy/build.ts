/**
 * Small constructors for validated resources: what a test does not name has the
 * default of SEMANTICS 1, so that each test shows only what it is about.
 */
import { parseAddress, parseCidr } from "../../src/address/address.ts";
import type { Address, Cidr } from "../../src/address/address.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type {
  EntityRule,
  FailsafePort,
  FelixConfiguration,
  GlobalNetworkPolicy,
  GlobalNetworkSet,
  HostEndpoint,
  Labels,
  PortRange,
  ResourceMeta,
  ResourceSet,
  Rule,
  Tier,
} from "../../src/resources/types.ts";
import { parseSelector } from "../../src/selector/parse.ts";
import type { Selector } from "../../src/selector/ast.ts";

export const NODE = "node-a";

const LOCATION = { file: "test.yaml", line: 1, column: 1 };

/** IP protocol numbers the tests use. */
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132, udplite: 136 } as const;

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(`not a prefix: ${text}`);
  return parsed.cidr;
}

interface EntityOptions {
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly selector?: string;
  readonly notSelector?: string;
  /** A port, or [first, last]. */
  readonly ports?: readonly (number | readonly [number, number])[];
  readonly notPorts?: readonly (number | readonly [number, number])[];
}

export interface RuleOptions extends Partial<Omit<Rule, "source" | "destination" | "icmp" | "notIcmp" | "location">> {
  readonly icmp?: { readonly type?: number; readonly code?: number };
  readonly notIcmp?: { readonly type?: number; readonly code?: number };
  readonly source?: EntityOptions;
  readonly destination?: EntityOptions;
}

function entity(options: EntityOptions = {}): EntityRule {
  return {
    nets: (options.nets ?? []).map(cidr),
    notNets: (options.notNets ?? []).map(cidr),
    selector: optionalSelector(options.selector),
    notSelector: optionalSelector(options.notSelector),
    ports: (options.ports ?? []).map(range),
    notPorts: (options.notPorts ?? []).map(range),
  };
}

export function rule(options: RuleOptions = {}): Rule {
  return {
    action: options.action ?? "Allow",
    ipVersion: options.ipVersion,
    protocol: options.protocol,
    notProtocol: options.notProtocol,
    icmp: icmp(options.icmp),
    notIcmp: icmp(options.notIcmp),
    source: entity(options.source),
    destination: entity(options.destination),
    location: LOCATION,
  };
}

export interface PolicyOptions
  extends Partial<Omit<GlobalNetworkPolicy, keyof ResourceMeta | "kind" | "selector" | "ingress" | "egress">> {
  readonly name?: string;
  readonly selector?: string;
  readonly ingress?: readonly RuleOptions[];
  readonly egress?: readonly RuleOptions[];
}

/** `types` defaults by rule count (SEMANTICS 1.5). */
export function policy(options: PolicyOptions = {}): GlobalNetworkPolicy {
  const ingress = (options.ingress ?? []).map(rule);
  const egress = (options.egress ?? []).map(rule);
  const byCount = egress.length === 0 ? ["ingress" as const] : ingress.length === 0 ? ["egress" as const] : undefined;
  return {
    kind: "GlobalNetworkPolicy",
    ...meta(options.name ?? "policy"),
    tier: options.tier ?? "default",
    order: options.order,
    selector: parseSelector(options.selector ?? ""),
    types: options.types ?? byCount ?? ["ingress", "egress"],
    ingress,
    egress,
    applyOnForward: options.applyOnForward ?? false,
  };
}

export interface HostEndpointOptions {
  readonly name?: string;
  readonly labels?: Labels;
  readonly node?: string;
  /** Default eth0; null leaves it unset. */
  readonly interfaceName?: string | null;
  readonly expectedIPs?: readonly string[];
  readonly profiles?: readonly string[];
}

export function hostEndpoint(options: HostEndpointOptions = {}): HostEndpoint {
  return {
    kind: "HostEndpoint",
    ...meta(options.name ?? "endpoint", options.labels),
    node: options.node ?? NODE,
    interfaceName: options.interfaceName === null ? undefined : (options.interfaceName ?? "eth0"),
    expectedIPs: (options.expectedIPs ?? []).map(address),
    profiles: options.profiles ?? [],
  };
}

export function networkSet(name: string, labels: Labels, nets: readonly string[]): GlobalNetworkSet {
  return { kind: "GlobalNetworkSet", ...meta(name, labels), nets: nets.map(cidr) };
}

export function tier(name: string, order: number | undefined, defaultAction: Tier["defaultAction"] = "Deny"): Tier {
  return { kind: "Tier", ...meta(name), order, defaultAction };
}

const BUILT_IN_TIERS: readonly Tier[] = [
  tier("kube-admin", 1_000, "Pass"),
  tier("default", 1_000_000),
  tier("kube-baseline", 10_000_000, "Pass"),
];

export function felix(
  options: Partial<Pick<FelixConfiguration, "name" | "failsafeInbound" | "failsafeOutbound" | "denyAction">> = {},
): FelixConfiguration {
  return {
    kind: "FelixConfiguration",
    ...meta(options.name ?? "default"),
    failsafeInbound: options.failsafeInbound,
    failsafeOutbound: options.failsafeOutbound,
    denyAction: options.denyAction,
  };
}

export function failsafe(protocol: FailsafePort["protocol"], port: number, net?: string): FailsafePort {
  return { protocol, port, net: net === undefined ? undefined : cidr(net) };
}

export interface SetOptions {
  readonly policies?: readonly GlobalNetworkPolicy[];
  readonly hostEndpoints?: readonly HostEndpoint[];
  readonly networkSets?: readonly GlobalNetworkSet[];
  /** Besides the built-in tiers. */
  readonly tiers?: readonly Tier[];
  readonly felixConfigurations?: readonly FelixConfiguration[];
}

/** Sorts every list by name, as the loader does. */
export function resourceSet(options: SetOptions = {}): ResourceSet {
  return {
    policies: byName(options.policies ?? []),
    hostEndpoints: byName(options.hostEndpoints ?? []),
    networkSets: byName(options.networkSets ?? []),
    tiers: byName([...BUILT_IN_TIERS, ...(options.tiers ?? [])]),
    felixConfigurations: byName(options.felixConfigurations ?? []),
  };
}

export interface PacketOptions {
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: number;
  readonly sourcePort?: number;
  readonly port?: number;
  readonly icmp?: readonly [type: number, code: number];
}

/** A TCP packet from port 40000 unless said otherwise; the family follows the addresses. */
export function packet(options: PacketOptions = {}): PolicyPacket {
  const source = address(options.from ?? "192.0.2.1");
  const destination = address(options.to ?? (source.family === 4 ? "192.0.2.2" : "2001:db8::2"));
  const icmpProtocol = source.family === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6;
  const protocol = options.protocol ?? (options.icmp === undefined ? PROTOCOL.tcp : icmpProtocol);
  const hasPorts = PORT_PROTOCOLS.includes(protocol);
  return {
    family: source.family,
    protocol,
    source: source.value,
    destination: destination.value,
    sourcePort: hasPorts ? (options.sourcePort ?? 40_000) : undefined,
    destinationPort: hasPorts ? (options.port ?? 80) : undefined,
    icmpType: options.icmp?.[0],
    icmpCode: options.icmp?.[1],
  };
}

export const PORT_PROTOCOLS: readonly number[] = [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp, PROTOCOL.udplite];

function meta(name: string, labels: Labels = {}): ResourceMeta {
  return { name, labels, location: LOCATION };
}

function byName<T extends ResourceMeta>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function optionalSelector(text: string | undefined): Selector | undefined {
  return text === undefined ? undefined : parseSelector(text);
}

function range(port: number | readonly [number, number]): PortRange {
  return typeof port === "number" ? { min: port, max: port } : { min: port[0], max: port[1] };
}

function icmp(match: RuleOptions["icmp"]): Rule["icmp"] {
  return match === undefined ? undefined : { type: match.type, code: match.code };
}
