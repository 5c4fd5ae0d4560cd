/**
 * Which endpoints of this node answer for which interface, in which table
 * (SEMANTICS 3.3). An interface is a workload's (by the prefix of its name) or
 * the host's, never both. At most one HostEndpoint governs a host interface: of
 * several candidates the smallest name, whether it matched by interface name or
 * by address. The wildcard governs every interface that has no endpoint of its
 * own in that table.
 */
import type { Address } from "../address/address.ts";
import type { HostEndpoint, ResourceSet, WorkloadEndpoint } from "../resources/types.ts";
import type { ChoiceWarning } from "./choice-warning.ts";
import { choiceWarnings } from "./choice-warnings.ts";
import { effectiveFelix } from "./failsafe.ts";
import { hasPolicies } from "./order.ts";

export interface Interface {
  readonly name: string;
  readonly addresses: readonly Address[];
}

interface InactiveEndpoint {
  readonly endpoint: HostEndpoint;
  readonly reason: string;
}

export interface EndpointChoice {
  /** By host interface name; interfaces that an endpoint names are here before they exist. */
  readonly byInterface: ReadonlyMap<string, HostEndpoint>;
  readonly wildcard: HostEndpoint | undefined;
  /** Those of the above that have preDNAT policies: only they are asked before DNAT. */
  readonly preDNAT: ReadonlySet<HostEndpoint>;
  /** Those of `byInterface` that have doNotTrack policies: only they are asked before connection tracking. */
  readonly untracked: ReadonlySet<HostEndpoint>;
  /** An interface whose name begins with one of these is a workload's. */
  readonly workloadPrefixes: readonly string[];
  /** Workload endpoints of this node by interface name. */
  readonly workloads: ReadonlyMap<string, WorkloadEndpoint>;
  /** Interfaces that no endpoint governs, not even the wildcard. */
  readonly exempt: ReadonlySet<string>;
  /** HostEndpoints of this node that govern nothing, and why. */
  readonly inactive: readonly InactiveEndpoint[];
  readonly warnings: readonly ChoiceWarning[];
}

const LOOPBACK = "lo";
const WILDCARD = "*";

/**
 * Chooses for the interfaces as they are now; call again when they change.
 * `exemptLoopback` (default true) leaves `lo` alone; false is Felix's behaviour.
 */
export function chooseEndpoints(
  set: ResourceSet,
  node: string,
  interfaces: readonly Interface[],
  options: { readonly exemptLoopback?: boolean } = {},
): EndpointChoice {
  const exempt = new Set(options.exemptLoopback === false ? [] : [LOOPBACK]);
  const workloadPrefixes = effectiveFelix(set, node).interfacePrefixes;
  const isHosts = (name: string): boolean => !exempt.has(name) && !hasPrefix(name, workloadPrefixes);
  const endpoints = set.hostEndpoints
    .filter((endpoint) => endpoint.node === node)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

  const byInterface = new Map<string, HostEndpoint>();
  for (const candidate of [...interfaces, ...namedButAbsent(endpoints, interfaces)]) {
    if (!isHosts(candidate.name)) continue;
    const winner = endpoints.find((endpoint) => isCandidate(endpoint, candidate));
    if (winner !== undefined) byInterface.set(candidate.name, winner);
  }
  const wildcard = endpoints.find((endpoint) => endpoint.interfaceName === WILDCARD);

  const named = [...new Set(byInterface.values())];
  const active = wildcard === undefined ? named : [...named, wildcard];
  const choice = {
    byInterface,
    wildcard,
    preDNAT: new Set(active.filter((endpoint) => hasPolicies(set, endpoint, "preDNAT"))),
    untracked: new Set(named.filter((endpoint) => hasPolicies(set, endpoint, "untracked"))),
    workloadPrefixes,
    workloads: localWorkloads(set, node, workloadPrefixes),
    exempt,
  };
  const inactive = endpoints
    .filter((endpoint) => !active.includes(endpoint))
    .map((endpoint) => ({ endpoint, reason: whyInactive(endpoint, interfaces, choice) }));
  const present = interfaces.map(({ name }) => name);
  return { ...choice, inactive, warnings: choiceWarnings(set, node, present, choice) };
}

/**
 * The endpoint that judges local traffic of an interface; undefined leaves it to the machine's own rules, or where
 * the interface is a workload's to `workloadEndpoint`.
 */
export function governingEndpoint(choice: EndpointChoice, interfaceName: string): HostEndpoint | undefined {
  return isWorkloadInterface(choice, interfaceName) ? undefined : forwardingEndpoint(choice, interfaceName);
}

/** The endpoint that judges what is forwarded over an interface; over a workload's it is the wildcard. */
export function forwardingEndpoint(choice: EndpointChoice, interfaceName: string): HostEndpoint | undefined {
  if (choice.exempt.has(interfaceName)) return undefined;
  return choice.byInterface.get(interfaceName) ?? choice.wildcard;
}

/** The endpoint asked before DNAT: one without preDNAT policies does not keep the wildcard from being asked. */
export function preDNATEndpoint(choice: EndpointChoice, interfaceName: string): HostEndpoint | undefined {
  if (choice.exempt.has(interfaceName)) return undefined;
  const own = choice.byInterface.get(interfaceName);
  return [own, choice.wildcard].find((endpoint) => endpoint !== undefined && choice.preDNAT.has(endpoint));
}

/** The endpoint asked before connection tracking; the wildcard never is. */
export function untrackedEndpoint(choice: EndpointChoice, interfaceName: string): HostEndpoint | undefined {
  const own = choice.byInterface.get(interfaceName);
  return own !== undefined && choice.untracked.has(own) ? own : undefined;
}

/** Does the interface belong to a workload, known or not? */
export function isWorkloadInterface(choice: EndpointChoice, interfaceName: string): boolean {
  return hasPrefix(interfaceName, choice.workloadPrefixes);
}

/** The endpoint of a workload's interface; without one everything from and to that interface is denied. */
export function workloadEndpoint(choice: EndpointChoice, interfaceName: string): WorkloadEndpoint | undefined {
  return choice.workloads.get(interfaceName);
}

function hasPrefix(interfaceName: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => interfaceName.startsWith(prefix));
}

/** With an interface name the expectedIPs are only selector data, never a condition. */
function isCandidate(endpoint: HostEndpoint, candidate: Interface): boolean {
  if (endpoint.interfaceName !== undefined) return endpoint.interfaceName === candidate.name;
  return candidate.addresses.some((address) =>
    endpoint.expectedIPs.some((ip) => ip.family === address.family && ip.value === address.value),
  );
}

function namedButAbsent(endpoints: readonly HostEndpoint[], interfaces: readonly Interface[]): Interface[] {
  const present = new Set(interfaces.map(({ name }) => name));
  const named = endpoints.flatMap(({ interfaceName }) => interfaceName ?? []);
  return [...new Set(named)]
    .filter((name) => name !== WILDCARD && !present.has(name))
    .map((name) => ({ name, addresses: [] }));
}

/** Of several endpoints that claim one interface the smallest namespace and name, as with HostEndpoints. */
function localWorkloads(
  set: ResourceSet,
  node: string,
  prefixes: readonly string[],
): ReadonlyMap<string, WorkloadEndpoint> {
  const key = ({ namespace, name }: WorkloadEndpoint): string => `${namespace}/${name}`;
  const local = set.workloadEndpoints
    .filter((endpoint) => endpoint.node === node && hasPrefix(endpoint.interfaceName, prefixes))
    .toSorted((a, b) => (key(a) < key(b) ? 1 : -1));
  return new Map(local.map((endpoint) => [endpoint.interfaceName, endpoint]));
}

function whyInactive(
  endpoint: HostEndpoint,
  interfaces: readonly Interface[],
  choice: Pick<EndpointChoice, "byInterface" | "wildcard" | "exempt" | "workloadPrefixes">,
): string {
  const { interfaceName } = endpoint;
  if (interfaceName === WILDCARD) return `HostEndpoint ${choice.wildcard?.name} is the wildcard: its name sorts first`;
  if (interfaceName !== undefined && choice.exempt.has(interfaceName)) {
    return `interface ${interfaceName} is exempt from policy`;
  }
  if (interfaceName !== undefined && hasPrefix(interfaceName, choice.workloadPrefixes)) {
    return `interface ${interfaceName} is a workload's: its name begins with ${choice.workloadPrefixes.join(" or ")}`;
  }
  const lost = [...interfaces, { name: interfaceName ?? "", addresses: [] }]
    .filter((candidate) => isCandidate(endpoint, candidate))
    .flatMap(({ name }) => choice.byInterface.get(name) ?? [])[0];
  if (lost !== undefined) return `HostEndpoint ${lost.name} governs the interface: its name sorts first`;
  return "no policed interface has any of its expectedIPs";
}
