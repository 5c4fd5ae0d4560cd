/**
 * Where documents meet: once all are read, what one of them only names is
 * looked up in the others. Afterwards nothing refers to anything: endpoints and
 * network sets carry their effective labels (SEMANTICS 1.8, 1.9), pods are
 * workload endpoints (1.11, 1.12), rules hold the backends of their services
 * (1.4), and every namespace and service account that is lived in exists. The
 * result is the same for every order of files, and nothing that was read is
 * changed in place, so that it can be linked again.
 */
import type { Diagnostics } from "./diagnostics.ts";
import { inheritLabels } from "./effective-label.ts";
import { assignFelixNodes } from "./felix-nodes.ts";
import {
  BUILT_IN_PROFILE,
  namespaceProfile,
  namespaceProfileName,
  serviceAccountProfile,
} from "./implicit-profile.ts";
import { NAMESPACE_LABEL } from "./implicit-label.ts";
import type { WorkloadDocument } from "./inventory.ts";
import type { LinkMemory } from "./link-memory.ts";
import type { LoadedResources } from "./loaded-resources.ts";
import { namespaceOf } from "./loaded-resources.ts";
import { impliedNamespace } from "./namespace.ts";
import { podEndpoint } from "./pod-endpoint.ts";
import { DEFAULT_SERVICE_ACCOUNT, impliedServiceAccount } from "./service-account.ts";
import { ServiceBackends } from "./service-backends.ts";
import type { BackendLookup } from "./service-reference.ts";
import { linkRules, linkServices } from "./service-reference.ts";
import { BUILT_IN_TIERS } from "./tier.ts";
import type { NetworkSet, Profile, ResourceSet, Tier, WorkloadEndpoint } from "./types.ts";
import { WorkloadPrefixes } from "./workload-prefix.ts";

/** Warnings: RAMPART_W_SERVICE_MISSING, RAMPART_W_POD_UNPLACED. Errors: RAMPART_E_FEATURE. */
export function link(loaded: LoadedResources, memory: LinkMemory, diagnostics: Diagnostics): ResourceSet {
  const felixConfigurations = assignFelixNodes(loaded.of("FelixConfiguration"), loaded.of("Node"), diagnostics);
  const services = new ServiceBackends(loaded.of("EndpointSlice"), loaded.of("Service"), loaded.of("Pod"), diagnostics);
  const backends: BackendLookup = (reference, side) => services.find(reference, side);
  const profiles = collectProfiles(loaded, backends);
  const policies = [
    ...loaded.of("GlobalNetworkPolicy"),
    ...loaded.of("NetworkPolicy"),
    ...loaded.of("KubernetesNetworkPolicy"),
  ];
  const hostEndpoints = loaded.of("HostEndpoint").map((endpoint) => {
    const labels = inheritLabels(endpoint.labels, endpoint.profiles, profiles);
    return memory.same(endpoint, { ...endpoint, labels });
  });
  const networkSets = [
    ...loaded.of("GlobalNetworkSet"),
    ...loaded.of("NetworkSet").map((set) => memory.same(set, linkNetworkSet(set, profiles))),
  ];
  return {
    policies: inOrder(policies.map((policy) => linkServices(policy, backends))),
    hostEndpoints: inOrder(hostEndpoints),
    workloadEndpoints: inOrder(
      linkWorkloads(loaded, profiles, new WorkloadPrefixes(felixConfigurations), memory, diagnostics),
    ),
    networkSets: inOrder(networkSets),
    tiers: inOrder(withBuiltIns(loaded.of("Tier"))),
    profiles: new Map(inOrder([...profiles.values()]).map((profile) => [profile.name, profile])),
    felixConfigurations: inOrder(felixConfigurations),
    nodes: inOrder(loaded.of("Node")).map(({ name, addresses }) => ({ name, addresses })),
    serviceNets: loaded.of("BGPConfiguration").flatMap(({ nets }) => nets),
  };
}

/** Documents win over what is implied: an export of a cluster holds the implicit profiles too. */
function collectProfiles(loaded: LoadedResources, backends: BackendLookup): Map<string, Profile> {
  const namespaces = new Map(loaded.of("Namespace").map((each) => [each.name, each]));
  const accounts = new Map(loaded.of("ServiceAccount").map((each) => [`${each.namespace}/${each.name}`, each]));
  const addNamespace = (name: string): void => {
    if (!namespaces.has(name)) namespaces.set(name, impliedNamespace(name));
  };
  const addAccount = (namespace: string, name: string): void => {
    const key = `${namespace}/${name}`;
    if (!accounts.has(key)) accounts.set(key, impliedServiceAccount(namespace, name));
  };
  for (const resource of loaded) {
    const namespace = namespaceOf(resource);
    if (namespace !== undefined) addNamespace(namespace);
    if (resource.kind !== "Pod" && resource.kind !== "WorkloadEndpoint") continue;
    if (resource.serviceAccount !== undefined) addAccount(resource.namespace, resource.serviceAccount);
  }
  for (const namespace of namespaces.keys()) addAccount(namespace, DEFAULT_SERVICE_ACCOUNT);

  const profiles = new Map<string, Profile>();
  const add = (profile: Profile): unknown => profiles.set(profile.name, profile);
  for (const namespace of namespaces.values()) add(namespaceProfile(namespace));
  for (const account of accounts.values()) add(serviceAccountProfile(account));
  for (const profile of loaded.of("Profile")) {
    const ingress = linkRules(profile.ingress, backends);
    const egress = linkRules(profile.egress, backends);
    add({ ...profile, ingress, egress });
  }
  add(BUILT_IN_PROFILE);
  return profiles;
}

function linkWorkloads(
  loaded: LoadedResources,
  profiles: ReadonlyMap<string, Profile>,
  prefixes: WorkloadPrefixes,
  memory: LinkMemory,
  diagnostics: Diagnostics,
): WorkloadEndpoint[] {
  const documents = loaded.of("WorkloadEndpoint");
  const documented = new Set<string>();
  for (const { namespace, pod } of documents) if (pod !== undefined) documented.add(`${namespace}/${pod}`);
  const withProfiles = (source: object, endpoint: WorkloadEndpoint): WorkloadEndpoint => {
    const labels = inheritLabels(endpoint.labels, endpoint.profiles, profiles);
    return memory.same(source, { ...endpoint, labels });
  };
  const endpoints = documents.map((document) => withProfiles(document, withoutDocument(document)));
  for (const pod of loaded.of("Pod")) {
    if (documented.has(`${pod.namespace}/${pod.name}`)) continue;
    const endpoint = podEndpoint(pod, prefixes, diagnostics);
    if (endpoint !== undefined) endpoints.push(withProfiles(pod, endpoint));
  }
  return endpoints;
}

function withoutDocument({ pod: _pod, serviceAccount: _account, ...endpoint }: WorkloadDocument): WorkloadEndpoint {
  return endpoint;
}

/** A set of a namespace is in it as a workload is, without a service account (SEMANTICS 1.9). */
function linkNetworkSet(set: NetworkSet, profiles: ReadonlyMap<string, Profile>): NetworkSet {
  const namespace = set.namespace as string;
  const own = { ...set.labels, [NAMESPACE_LABEL]: namespace };
  return { ...set, labels: inheritLabels(own, [namespaceProfileName(namespace)], profiles) };
}

function withBuiltIns(tiers: readonly Tier[]): Tier[] {
  const given = new Set(tiers.map((tier) => tier.name));
  return [...tiers, ...BUILT_IN_TIERS.filter((tier) => !given.has(tier.name))];
}

interface Ordered {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** By namespace, name and kind. Names are ASCII, so comparing code units is comparing bytes. */
function inOrder<R extends Ordered>(resources: readonly R[]): R[] {
  return resources.toSorted(
    (a, b) =>
      compare(a.namespace ?? "", b.namespace ?? "") || compare(a.name, b.name) || compare(a.kind, b.kind),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
