/** From endpoints and interfaces to what the hooks govern and what the workers look interfaces up in. */
import { parseAddress } from "../address/address.ts";
import {
  buildInterfaceMap,
  NO_ENDPOINT,
  UNKNOWN_WORKLOAD,
  type InterfaceMap,
  type InterfaceRoles,
} from "../datapath/interface-map.ts";
import type { Scope, UntrackedInterfaces, WorkloadInterfaces } from "../hooks/hook-config.ts";
import type { NativeInterface } from "../native/binding.ts";
import { chooseEndpoints, governingEndpoint, type EndpointChoice } from "../policy/endpoint-choice.ts";
import { effectiveFelix } from "../policy/failsafe.ts";
import type { Endpoint, HostEndpoint, ResourceSet } from "../resources/types.ts";
import type { Compilation, EndpointClasses } from "../tables/compiled.ts";

export interface EndpointScope {
  readonly choice: EndpointChoice;
  readonly interfaces: InterfaceMap;
  /** Interfaces whose local traffic is governed. */
  readonly local: Scope;
  /** Of each class, undefined while no endpoint has a policy of it. */
  readonly forward: Scope | undefined;
  readonly preDNAT: Scope | undefined;
  readonly untracked: UntrackedInterfaces | undefined;
  /** Undefined while this node has no workload endpoint. */
  readonly workloads: WorkloadInterfaces | undefined;
  /** What governs each interface now, by name; equal texts: the same endpoints in the same roles. */
  readonly roles: ReadonlyMap<string, string>;
}

type CompiledEndpoints = Pick<Compilation, "endpoints" | "classes">;

export function endpointScope(
  resources: ResourceSet,
  node: string,
  links: readonly NativeInterface[],
  compiled: CompiledEndpoints,
  exemptLoopback: boolean,
): EndpointScope {
  const known = links.map((link) => ({
    name: link.name,
    addresses: link.addresses.map((text) => parseAddress(text)).filter((address) => address !== undefined),
  }));
  const choice = chooseEndpoints(resources, node, known, { exemptLoopback });
  const indexOf = new Map<Endpoint, number>(compiled.endpoints.map((endpoint, index) => [endpoint, index]));
  const has = (endpoint: HostEndpoint, policyClass: keyof EndpointClasses): boolean =>
    compiled.classes[indexOf.get(endpoint) ?? -1]?.[policyClass] ?? false;
  const workloads = new Map<string, number>();
  compiled.endpoints.forEach((endpoint, index) => {
    if (endpoint.kind === "WorkloadEndpoint") workloads.set(endpoint.interfaceName, index);
  });
  const { interfacePrefixes, workloadSourceSpoofing } = effectiveFelix(resources, node);
  const sources = workloadSourceSpoofing === "Any" ? allowedSources(compiled) : [];
  const index = (endpoint: HostEndpoint | undefined): number =>
    endpoint === undefined ? NO_ENDPOINT : (indexOf.get(endpoint) ?? NO_ENDPOINT);

  const isUntracked = (endpoint: HostEndpoint): boolean =>
    has(endpoint, "untrackedIngress") || has(endpoint, "untrackedEgress");

  const rolesOf = (name: string): InterfaceRoles => {
    const isWorkload = workloads.size > 0 && interfacePrefixes.some((prefix) => name.startsWith(prefix));
    const named = choice.byInterface.get(name);
    const exempt = choice.exempt.has(name);
    const { wildcard } = choice;
    const preDNAT = [named, wildcard].find((endpoint) => endpoint !== undefined && has(endpoint, "preDNAT"));
    return {
      host: isWorkload && !exempt ? index(wildcard) : index(governingEndpoint(choice, name)),
      workload: isWorkload ? (workloads.get(name) ?? UNKNOWN_WORKLOAD) : NO_ENDPOINT,
      preDNAT: exempt ? NO_ENDPOINT : index(preDNAT),
      untracked: named !== undefined && !isWorkload && isUntracked(named) ? index(named) : NO_ENDPOINT,
    };
  };

  const entries = new Map<number, InterfaceRoles>();
  const roles = new Map<string, string>();
  for (const link of links) {
    const role = rolesOf(link.name);
    entries.set(link.index, role);
    roles.set(link.name, `${role.host},${role.workload},${role.preDNAT},${role.untracked}`);
  }
  const namesWith = (policyClass: keyof EndpointClasses): string[] =>
    [...choice.byInterface].filter(([, endpoint]) => has(endpoint, policyClass)).map(([name]) => name);
  const scopeOf = (policyClass: keyof EndpointClasses): Scope | undefined => {
    const wildcard = choice.wildcard !== undefined && has(choice.wildcard, policyClass);
    const names = namesWith(policyClass);
    return wildcard || names.length > 0 ? { wildcard, interfaces: names } : undefined;
  };
  const untracked = { inbound: namesWith("untrackedIngress"), outbound: namesWith("untrackedEgress") };
  return {
    choice,
    interfaces: buildInterfaceMap(entries),
    local: { wildcard: choice.wildcard !== undefined, interfaces: [...choice.byInterface.keys()] },
    forward: scopeOf("forward"),
    preDNAT: scopeOf("preDNAT"),
    untracked: untracked.inbound.length + untracked.outbound.length > 0 ? untracked : undefined,
    workloads: workloads.size > 0 ? { prefixes: interfacePrefixes, allowedSources: sources } : undefined,
    roles,
  };
}

function allowedSources({ endpoints }: CompiledEndpoints): WorkloadInterfaces["allowedSources"] {
  return endpoints.flatMap((endpoint) =>
    endpoint.kind === "WorkloadEndpoint" && endpoint.allowedSources.length > 0
      ? [{ interfaceName: endpoint.interfaceName, nets: endpoint.allowedSources }]
      : [],
  );
}

/** Interface names each endpoint governs now, by endpoint index, for people. */
export function governedInterfaces(
  scope: EndpointScope,
  compiled: CompiledEndpoints,
  links: readonly NativeInterface[],
): string[][] {
  return compiled.endpoints.map((endpoint) =>
    links
      .filter((link) =>
        endpoint.kind === "WorkloadEndpoint"
          ? endpoint.interfaceName === link.name
          : governingEndpoint(scope.choice, link.name) === endpoint,
      )
      .map((link) => link.name),
  );
}
