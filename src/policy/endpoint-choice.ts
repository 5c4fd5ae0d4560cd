/**
 * Which HostEndpoint governs which interface of this node (SEMANTICS 3.3). At
 * most one endpoint governs an interface: of several candidates the smallest
 * name, whether it matched by interface name or by address. The wildcard
 * governs every interface that has no endpoint of its own.
 */
import type { Address } from "../address/address.ts";
import type { HostEndpoint, ResourceSet } from "../resources/types.ts";

export interface Interface {
  readonly name: string;
  readonly addresses: readonly Address[];
}

interface InactiveEndpoint {
  readonly endpoint: HostEndpoint;
  readonly reason: string;
}

export interface EndpointChoice {
  /** By interface name; interfaces that an endpoint names are here before they exist. */
  readonly byInterface: ReadonlyMap<string, HostEndpoint>;
  readonly wildcard: HostEndpoint | undefined;
  /** Interfaces that no endpoint governs, not even the wildcard. */
  readonly exempt: ReadonlySet<string>;
  /** Endpoints of this node that govern nothing, and why. */
  readonly inactive: readonly InactiveEndpoint[];
  readonly warnings: readonly string[];
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
  const endpoints = set.hostEndpoints
    .filter((endpoint) => endpoint.node === node)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

  const byInterface = new Map<string, HostEndpoint>();
  for (const candidate of [...interfaces, ...namedButAbsent(endpoints, interfaces)]) {
    if (exempt.has(candidate.name)) continue;
    const winner = endpoints.find((endpoint) => isCandidate(endpoint, candidate));
    if (winner !== undefined) byInterface.set(candidate.name, winner);
  }
  const wildcard = endpoints.find((endpoint) => endpoint.interfaceName === WILDCARD);

  const active = new Set([...byInterface.values(), wildcard]);
  const inactive = endpoints
    .filter((endpoint) => !active.has(endpoint))
    .map((endpoint) => ({ endpoint, reason: whyInactive(endpoint, interfaces, byInterface, wildcard, exempt) }));
  return { byInterface, wildcard, exempt, inactive, warnings: warnings(set, node, interfaces, byInterface, wildcard) };
}

/** The endpoint that judges traffic of an interface; undefined leaves it to the machine's own rules. */
export function governingEndpoint(choice: EndpointChoice, interfaceName: string): HostEndpoint | undefined {
  if (choice.exempt.has(interfaceName)) return undefined;
  return choice.byInterface.get(interfaceName) ?? choice.wildcard;
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

function whyInactive(
  endpoint: HostEndpoint,
  interfaces: readonly Interface[],
  byInterface: ReadonlyMap<string, HostEndpoint>,
  wildcard: HostEndpoint | undefined,
  exempt: ReadonlySet<string>,
): string {
  if (endpoint.interfaceName === WILDCARD) {
    return `HostEndpoint ${wildcard?.name} is the wildcard: its name sorts first`;
  }
  if (endpoint.interfaceName !== undefined && exempt.has(endpoint.interfaceName)) {
    return `interface ${endpoint.interfaceName} is exempt from policy`;
  }
  const lost = [...interfaces, { name: endpoint.interfaceName ?? "", addresses: [] }]
    .filter((candidate) => isCandidate(endpoint, candidate))
    .flatMap(({ name }) => byInterface.get(name) ?? [])[0];
  if (lost !== undefined) return `HostEndpoint ${lost.name} governs the interface: its name sorts first`;
  return "no policed interface has any of its expectedIPs";
}

function warnings(
  set: ResourceSet,
  node: string,
  interfaces: readonly Interface[],
  byInterface: ReadonlyMap<string, HostEndpoint>,
  wildcard: HostEndpoint | undefined,
): string[] {
  const nodes = [...new Set(set.hostEndpoints.map((endpoint) => endpoint.node))].toSorted();
  if (nodes.length === 0) return [`THIS HOST IS NOT PROTECTED: there is no HostEndpoint; add one with node: ${node}`];
  if (!nodes.includes(node)) {
    return [
      `THIS HOST IS NOT PROTECTED: no HostEndpoint has node: ${node}; the files name ${listed(nodes)}. ` +
        nodeHint(node, nodes),
    ];
  }
  if (byInterface.size === 0 && wildcard === undefined) {
    return [`THIS HOST IS NOT PROTECTED: no HostEndpoint of node ${node} governs an interface`];
  }
  const present = new Set(interfaces.map(({ name }) => name));
  return [...byInterface]
    .filter(([name]) => !present.has(name))
    .map(([name, { name: endpoint }]) => {
      return `HostEndpoint ${endpoint}: interface ${name} does not exist now; it is policed once it does`;
    });
}

const SHOWN_NODES = 5;

function listed(nodes: readonly string[]): string {
  const shown = nodes.slice(0, SHOWN_NODES).join(", ");
  return nodes.length > SHOWN_NODES ? `${shown} and ${nodes.length - SHOWN_NODES} more` : shown;
}

/** The usual mistake is a fully qualified name on one side and a short one on the other. */
function nodeHint(node: string, nodes: readonly string[]): string {
  const alike = nodes.find((other) => shortName(other) === shortName(node));
  return alike === undefined
    ? "Correct the node of a HostEndpoint, or the host name in Rampart's configuration"
    : `${alike} and ${node} look like one machine: use the same spelling (short or fully qualified) on both sides`;
}

function shortName(node: string): string {
  return (node.split(".", 1)[0] as string).toLowerCase();
}
