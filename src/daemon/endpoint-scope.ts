/** From endpoints and interfaces to what the hooks govern and what the workers look interfaces up in. */
import { parseAddress } from "../address/address.ts";
import { buildInterfaceMap, NO_ENDPOINT, type InterfaceMap } from "../datapath/interface-map.ts";
import type { Scope } from "../hooks/hook-config.ts";
import type { NativeInterface } from "../native/binding.ts";
import { chooseEndpoints, governingEndpoint, type EndpointChoice } from "../policy/endpoint-choice.ts";
import { hasForwardPolicies } from "../policy/order.ts";
import type { HostEndpoint, ResourceSet } from "../resources/types.ts";

export interface EndpointScope {
  readonly choice: EndpointChoice;
  readonly interfaces: InterfaceMap;
  readonly local: Scope;
  /** Undefined while no endpoint has an applyOnForward policy. */
  readonly forward: Scope | undefined;
  /** Equal keys: the same endpoints govern the same interfaces. */
  readonly key: string;
}

/** `endpoints`: HostEndpoint names by index, as the tables have them. */
export function endpointScope(
  resources: ResourceSet,
  node: string,
  links: readonly NativeInterface[],
  endpoints: readonly string[],
  exemptLoopback: boolean,
): EndpointScope {
  const known = links.map((link) => ({
    name: link.name,
    addresses: link.addresses.map((text) => parseAddress(text)).filter((address) => address !== undefined),
  }));
  const choice = chooseEndpoints(resources, node, known, { exemptLoopback });
  const indexOf = new Map(endpoints.map((name, index) => [name, index]));
  const entries = new Map<number, number>();
  const governed: string[] = [];
  for (const link of links) {
    const endpoint = governingEndpoint(choice, link.name);
    entries.set(link.index, endpoint === undefined ? NO_ENDPOINT : (indexOf.get(endpoint.name) ?? NO_ENDPOINT));
    governed.push(`${link.name}=${endpoint?.name ?? ""}`);
  }
  const forwards = (endpoint: HostEndpoint): boolean => hasForwardPolicies(resources, endpoint);
  const forwardNames = [...choice.byInterface].filter(([, endpoint]) => forwards(endpoint)).map(([name]) => name);
  const forwardWildcard = choice.wildcard !== undefined && forwards(choice.wildcard);
  return {
    choice,
    interfaces: buildInterfaceMap(entries),
    local: { wildcard: choice.wildcard !== undefined, interfaces: [...choice.byInterface.keys()] },
    forward:
      forwardWildcard || forwardNames.length > 0 ? { wildcard: forwardWildcard, interfaces: forwardNames } : undefined,
    key: governed.toSorted().join(),
  };
}

/** Interface names each endpoint governs now, for people. */
export function governedInterfaces(scope: EndpointScope, links: readonly NativeInterface[]): Map<string, string[]> {
  const byEndpoint = new Map<string, string[]>();
  for (const link of links) {
    const endpoint = governingEndpoint(scope.choice, link.name);
    if (endpoint === undefined) continue;
    byEndpoint.set(endpoint.name, [...(byEndpoint.get(endpoint.name) ?? []), link.name]);
  }
  return byEndpoint;
}
