/**
 * Small constructors for validated resources: what a test does not name has the
 * default of SEMANTICS 1, so that each test shows only what it is about.
 */
import { parseAddress, parseCidr } from "../../src/address/address.ts";
import type { Address, Cidr } from "../../src/address/address.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type {
  EndpointPort,
  EntityRule,
  FailsafePort,
  FelixConfiguration,
  HostEndpoint,
  Labels,
  NetworkSet,
  Policy,
  PortRange,
  Profile,
  ResourceMeta,
  ResourceSet,
  Rule,
  ServiceBackend,
  Tier,
  WorkloadEndpoint,
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

/** A port by number or name, or [first, last]. */
type PortOption = number | string | readonly [number, number];

interface EntityOptions {
  readonly nets?: readonly string[];
  readonly notNets?: readonly string[];
  readonly selector?: string;
  readonly notSelector?: string;
  readonly ports?: readonly PortOption[];
  readonly notPorts?: readonly PortOption[];
  readonly service?: readonly ServiceBackend[];
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
    ports: (options.ports ?? []).flatMap(range),
    notPorts: (options.notPorts ?? []).flatMap(range),
    namedPorts: (options.ports ?? []).filter((port) => typeof port === "string"),
    notNamedPorts: (options.notPorts ?? []).filter((port) => typeof port === "string"),
    service: options.service,
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

/** A backend of a service: `10.0.0.1:80` over TCP unless said otherwise. */
export function backend(ip: string, port: number, protocol: number = PROTOCOL.tcp): ServiceBackend {
  return { address: address(ip), protocol, port };
}

export interface PolicyOptions
  extends Partial<Omit<Policy, keyof ResourceMeta | "selector" | "ingress" | "egress" | "namespace">> {
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: string;
  readonly ingress?: readonly RuleOptions[];
  readonly egress?: readonly RuleOptions[];
}

/**
 * A GlobalNetworkPolicy; with `namespace` a NetworkPolicy. `types` defaults by rule count (SEMANTICS 1.5), the
 * subject gets its namespace as the loader would give it (1.9); the selectors of rules are taken as they stand.
 */
export function policy(options: PolicyOptions = {}): Policy {
  const ingress = (options.ingress ?? []).map(rule);
  const egress = (options.egress ?? []).map(rule);
  const byCount = egress.length === 0 ? ["ingress" as const] : ingress.length === 0 ? ["egress" as const] : undefined;
  const { namespace, selector = "" } = options;
  return {
    kind: options.kind ?? (namespace === undefined ? "GlobalNetworkPolicy" : "NetworkPolicy"),
    ...meta(options.name ?? "policy"),
    namespace,
    tier: options.tier ?? "default",
    order: options.order,
    selector: parseSelector(namespace === undefined ? selector : inNamespace(selector, namespace)),
    types: options.types ?? byCount ?? ["ingress", "egress"],
    ingress,
    egress,
    applyOnForward: options.applyOnForward ?? options.preDNAT ?? options.doNotTrack ?? false,
    preDNAT: options.preDNAT ?? false,
    doNotTrack: options.doNotTrack ?? false,
    staged: options.staged ?? false,
    ...(options.stagedAction === undefined ? {} : { stagedAction: options.stagedAction }),
  };
}

/** A Kubernetes policy as SEMANTICS 4 converts it: order 1000, Allow rules only, ingress always in `types`. */
export function kubernetesPolicy(options: Omit<PolicyOptions, "kind" | "order" | "tier"> = {}): Policy {
  return policy({
    namespace: "default",
    types: (options.egress ?? []).length > 0 ? ["ingress", "egress"] : ["ingress"],
    ...options,
    kind: "KubernetesNetworkPolicy",
    order: 1000,
    selector: podSelector(options.selector ?? ""),
  });
}

/** `selector` of the pods of one namespace, as a namespaced policy's subject and peers are written effectively. */
export function inNamespace(selector: string, namespace: string): string {
  const own = `projectcalico.org/namespace == '${namespace}'`;
  return selector === "" ? own : `(${selector}) && ${own}`;
}

function podSelector(selector: string): string {
  const pods = "projectcalico.org/orchestrator == 'k8s'";
  return selector === "" ? pods : `(${selector}) && ${pods}`;
}

export interface HostEndpointOptions {
  readonly name?: string;
  readonly labels?: Labels;
  readonly node?: string;
  /** Default eth0; null leaves it unset. */
  readonly interfaceName?: string | null;
  readonly expectedIPs?: readonly string[];
  readonly profiles?: readonly string[];
  readonly ports?: readonly EndpointPort[];
}

/** A named port over TCP unless said otherwise. */
export function port(name: string, number: number, protocol: number = PROTOCOL.tcp): EndpointPort {
  return { name, protocol, port: number };
}

export function hostEndpoint(options: HostEndpointOptions = {}): HostEndpoint {
  return {
    kind: "HostEndpoint",
    ...meta(options.name ?? "endpoint", options.labels),
    node: options.node ?? NODE,
    interfaceName: options.interfaceName === null ? undefined : (options.interfaceName ?? "eth0"),
    expectedIPs: (options.expectedIPs ?? []).map(address),
    profiles: options.profiles ?? [],
    ports: options.ports ?? [],
  };
}

export interface WorkloadEndpointOptions {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly node?: string;
  /** Default `cali-<name>`. */
  readonly interfaceName?: string;
  readonly addresses?: readonly string[];
  /** Default: its namespace's implicit profile, which allows everything. */
  readonly profiles?: readonly string[];
  readonly ports?: readonly EndpointPort[];
}

/** With the implicit labels of SEMANTICS 1.8 and 1.9, as the loader would give them. */
export function workloadEndpoint(options: WorkloadEndpointOptions = {}): WorkloadEndpoint {
  const { name = "pod", namespace = "default" } = options;
  const implicit = {
    "projectcalico.org/namespace": namespace,
    "projectcalico.org/orchestrator": "k8s",
    "pcns.projectcalico.org/name": namespace,
  };
  return {
    kind: "WorkloadEndpoint",
    ...meta(name, { ...implicit, ...options.labels }),
    namespace,
    node: options.node ?? NODE,
    interfaceName: options.interfaceName ?? `cali-${name}`,
    addresses: (options.addresses ?? []).map(address),
    profiles: options.profiles ?? [`kns.${namespace}`],
    ports: options.ports ?? [],
    allowedSources: [],
  };
}

/** With `namespace` a NetworkSet, which carries its namespace as a label. */
export function networkSet(name: string, labels: Labels, nets: readonly string[], namespace?: string): NetworkSet {
  const implicit = namespace === undefined ? {} : { "projectcalico.org/namespace": namespace };
  return {
    kind: namespace === undefined ? "GlobalNetworkSet" : "NetworkSet",
    ...meta(name, { ...implicit, ...labels }),
    namespace,
    nets: nets.map(cidr),
  };
}

export interface ProfileOptions {
  readonly ingress?: readonly RuleOptions[];
  readonly egress?: readonly RuleOptions[];
}

export function profile(name: string, options: ProfileOptions = {}): Profile {
  const { ingress = [], egress = [] } = options;
  return { kind: "Profile", ...meta(name), ingress: ingress.map(rule), egress: egress.map(rule) };
}

const DEFAULT_ALLOW = "projectcalico-default-allow";

function allowAll(name: string): Profile {
  return profile(name, { ingress: [{}], egress: [{}] });
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
  options: Partial<Omit<FelixConfiguration, "kind" | "labels" | "location">> = {},
): FelixConfiguration {
  return {
    kind: "FelixConfiguration",
    ...meta(options.name ?? "default"),
    ...options,
  };
}

export function failsafe(protocol: FailsafePort["protocol"], port: number, net?: string): FailsafePort {
  return { protocol, port, net: net === undefined ? undefined : cidr(net) };
}

export interface SetOptions {
  readonly policies?: readonly Policy[];
  readonly hostEndpoints?: readonly HostEndpoint[];
  readonly workloadEndpoints?: readonly WorkloadEndpoint[];
  readonly networkSets?: readonly NetworkSet[];
  /** Besides the built-in tiers. */
  readonly tiers?: readonly Tier[];
  /** Besides the built-in one and those of the workloads' namespaces. */
  readonly profiles?: readonly Profile[];
  readonly felixConfigurations?: readonly FelixConfiguration[];
}

/** Sorts every list by namespace and name and adds what is built in or implicit, as the loader does. */
export function resourceSet(options: SetOptions = {}): ResourceSet {
  const workloadEndpoints = byName(options.workloadEndpoints ?? []);
  const implicit = [DEFAULT_ALLOW, ...workloadEndpoints.map(({ namespace }) => `kns.${namespace}`)].map(allowAll);
  const profiles = byName([...implicit, ...(options.profiles ?? [])]);
  return {
    policies: byName(options.policies ?? []),
    hostEndpoints: byName(options.hostEndpoints ?? []),
    workloadEndpoints,
    networkSets: byName(options.networkSets ?? []),
    tiers: byName([...BUILT_IN_TIERS, ...(options.tiers ?? [])]),
    profiles: new Map(profiles.map((each) => [each.name, each])),
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

function byName<T extends ResourceMeta & { readonly namespace?: string | undefined }>(list: readonly T[]): T[] {
  const key = (each: T): string => `${each.namespace ?? ""}/${each.name}`;
  return list.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}

function optionalSelector(text: string | undefined): Selector | undefined {
  return text === undefined ? undefined : parseSelector(text);
}

function range(option: PortOption): PortRange[] {
  if (typeof option === "string") return [];
  return typeof option === "number" ? [{ min: option, max: option }] : [{ min: option[0], max: option[1] }];
}

function icmp(match: RuleOptions["icmp"]): Rule["icmp"] {
  return match === undefined ? undefined : { type: match.type, code: match.code };
}
