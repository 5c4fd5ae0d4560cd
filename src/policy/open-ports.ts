/**
 * The ports of this host that some policy in force may let somebody send to:
 * never too few, and too many where it takes long to tell. A packet that opens
 * a connection to another one is denied, whoever sends it (SEMANTICS 3.2: an
 * endpoint allows only by a rule), or accepted without being asked about
 * (failsafe ports, preDNAT policy).
 */
import type { PortRange, ResourceSet, Rule } from "../resources/types.ts";
import { enforcedPolicies, governs } from "./order.ts";

/** In order, apart from one another; undefined: any port. */
export interface OpenPorts {
  readonly tcp: readonly PortRange[] | undefined;
  readonly udp: readonly PortRange[] | undefined;
}

const TCP = 6;
const UDP = 17;
/** With more HostEndpoints every policy counts as one that chooses some of them. */
const MOST_ENDPOINTS = 16;

/** Of what comes in to `node` itself: by ingress of its HostEndpoints, and by egress of its workloads. */
export function openPorts(set: ResourceSet, node: string): OpenPorts {
  const hosts = set.hostEndpoints.filter((endpoint) => endpoint.node === node);
  const workloads = set.workloadEndpoints.filter((endpoint) => endpoint.node === node);
  const governsHost = (policy: ResourceSet["policies"][number]): boolean =>
    hosts.length > MOST_ENDPOINTS || hosts.some((endpoint) => governs(policy, endpoint));
  const hasWorkloads = workloads.length > 0;
  const rules: Rule[] = [];
  for (const policy of enforcedPolicies(set)) {
    if (policy.ingress.length > 0 && governsHost(policy)) rules.push(...policy.ingress);
    if (hasWorkloads) rules.push(...policy.egress);
  }
  const profiles = (endpoints: readonly { readonly profiles: readonly string[] }[]) =>
    [...new Set(endpoints.flatMap((endpoint) => endpoint.profiles))].flatMap((name) => set.profiles.get(name) ?? []);
  for (const profile of profiles(hosts)) rules.push(...profile.ingress);
  for (const profile of profiles(workloads)) rules.push(...profile.egress);
  const allowing = rules.filter((rule) => rule.action === "Allow");
  return { tcp: portsOf(allowing, TCP), udp: portsOf(allowing, UDP) };
}

function portsOf(rules: readonly Rule[], protocol: number): readonly PortRange[] | undefined {
  const ranges: PortRange[] = [];
  for (const { protocol: only, notProtocol, destination } of rules) {
    if ((only !== undefined && only !== protocol) || notProtocol === protocol) continue;
    const { ports, namedPorts, service } = destination;
    // What a name or a service stands for may be any port.
    if (ports.length === 0 || namedPorts.length > 0 || service !== undefined) return undefined;
    ranges.push(...ports);
  }
  return joined(ranges);
}

function joined(ranges: readonly PortRange[]): PortRange[] {
  const result: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.min - b.min)) {
    const last = result.at(-1);
    if (last === undefined || range.min > last.max + 1) result.push(range);
    else result[result.length - 1] = { min: last.min, max: Math.max(last.max, range.max) };
  }
  return result;
}
