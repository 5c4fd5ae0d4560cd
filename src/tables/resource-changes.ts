/**
 * What differs between two loads, for recompiling only that. Resources that
 * say the same count as the same, whether or not they are the same object;
 * where they are is of no matter to endpoints, network sets and tiers.
 */
import { isDeepStrictEqual } from "node:util";
import type { Address, Cidr } from "../address/address.ts";
import type { Endpoint, EndpointPort, Labels, NetworkSet, Policy, Profile, ResourceSet, Rule, Tier } from "../resources/types.ts";

export interface Change<R> {
  readonly removed: readonly R[];
  readonly added: readonly R[];
}

export interface ResourceChanges {
  readonly endpoints: Change<Endpoint>;
  readonly networkSets: Change<NetworkSet>;
  readonly policies: Change<Policy>;
  /** Profiles as they were that are gone or others now, and new ones. */
  readonly profiles: readonly Profile[];
  /** An endpoint of the new set to the one of the old set that says the same, where that is another object. */
  readonly stood: ReadonlyMap<Endpoint, Endpoint>;
  /** The new set, with the old objects for what says the same. */
  readonly set: ResourceSet;
}

interface Named {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

export function resourceChanges(before: ResourceSet, after: ResourceSet): ResourceChanges {
  const stood = new Map<Endpoint, Endpoint>();
  const stoodSets = new Map<NetworkSet, NetworkSet>();
  const stoodPolicies = new Map<Policy, Policy>();
  const hosts = changesOf(before.hostEndpoints, after.hostEndpoints, sameEndpoint, stood);
  const workloads = changesOf(before.workloadEndpoints, after.workloadEndpoints, sameEndpoint, stood);
  const networkSets = changesOf(before.networkSets, after.networkSets, sameNetworkSet, stoodSets);
  const policies = changesOf(before.policies, after.policies, samePolicy, stoodPolicies);
  const profiles = changedProfiles(before.profiles, after.profiles);
  const changed = new Set(profiles.map(({ name }) => name));
  return {
    endpoints: {
      removed: [...hosts.removed, ...workloads.removed],
      added: [...hosts.added, ...workloads.added],
    },
    networkSets,
    policies,
    profiles,
    stood,
    set: {
      ...after,
      hostEndpoints: standing(after.hostEndpoints, stood),
      workloadEndpoints: standing(after.workloadEndpoints, stood),
      networkSets: standing(after.networkSets, stoodSets),
      policies: standing(after.policies, stoodPolicies),
      profiles: new Map([...after.profiles].map(([name, profile]) => [name, changed.has(name) ? profile : (before.profiles.get(name) ?? profile)])),
    },
  };
}

function standing<R>(resources: readonly R[], stood: ReadonlyMap<unknown, unknown>): readonly R[] {
  return stood.size === 0 ? resources : resources.map((each) => (stood.get(each) as R | undefined) ?? each);
}

function changedProfiles(before: ResourceSet["profiles"], after: ResourceSet["profiles"]): Profile[] {
  const changed: Profile[] = [];
  for (const [name, profile] of before) {
    const now = after.get(name);
    if (now === undefined || (now !== profile && !sameProfile(profile, now))) changed.push(profile);
  }
  for (const [name, profile] of after) if (!before.has(name)) changed.push(profile);
  return changed;
}

/**
 * Compares two lists that are sorted by namespace and name. `stood.get(r)` is the resource of `before` that `r` of
 * `after` says the same as, where it is another object.
 */
function changesOf<R extends Named, Known extends R>(
  before: readonly Known[],
  after: readonly Known[],
  same: (a: Known, b: Known) => boolean,
  stood: Map<R, R>,
): Change<Known> {
  const removed: Known[] = [];
  const added: Known[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    const a = before[i];
    const b = after[j];
    if (a === b) {
      i++;
      j++;
      continue;
    }
    const order = compareNames(a, b);
    if (order === 0 && same(a, b)) stood.set(b, a);
    else {
      if (order <= 0) removed.push(a);
      if (order >= 0) added.push(b);
    }
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  while (i < before.length) removed.push(before[i++]);
  while (j < after.length) added.push(after[j++]);
  if (removed.length === 0 || added.length === 0) return { removed, added };
  // In lists that are in another order than it seemed, the same object may be in both.
  const arrived = new Set(added);
  const moved = new Set(removed.filter((resource) => arrived.has(resource)));
  if (moved.size === 0) return { removed, added };
  return {
    removed: removed.filter((resource) => !moved.has(resource)),
    added: added.filter((resource) => !moved.has(resource)),
  };
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a.kind === "HostEndpoint") {
    return b.kind === "HostEndpoint" && sameCommon(a, b) && sameList(a.expectedIPs, b.expectedIPs, sameAddress);
  }
  return b.kind === "WorkloadEndpoint" && sameCommon(a, b) && sameList(a.addresses, b.addresses, sameAddress);
}

function sameNetworkSet(a: NetworkSet, b: NetworkSet): boolean {
  return sameLabels(a.labels, b.labels) && (a.nets === b.nets || sameList(a.nets, b.nets, sameCidr));
}

function samePolicy(a: Policy, b: Policy): boolean {
  return isDeepStrictEqual(a, b);
}

/** In their rules; an endpoint's labels already hold what a profile gives it. */
function sameProfile(a: Profile, b: Profile): boolean {
  return sameList(a.ingress, b.ingress, sameRule) && sameList(a.egress, b.egress, sameRule);
}

export function sameTiers(a: readonly Tier[], b: readonly Tier[]): boolean {
  const same = (x: Tier, y: Tier): boolean =>
    x.name === y.name && x.order === y.order && x.defaultAction === y.defaultAction;
  return sameList(a, b, same);
}

function sameCommon(a: Endpoint, b: Endpoint): boolean {
  return (
    sameLabels(a.labels, b.labels) &&
    (a.profiles === b.profiles || sameList(a.profiles, b.profiles, (x, y) => x === y)) &&
    (a.ports === b.ports || sameList(a.ports, b.ports, samePort))
  );
}

function sameRule(a: Rule, b: Rule): boolean {
  return a === b || isDeepStrictEqual(a, b);
}

function samePort(a: EndpointPort, b: EndpointPort): boolean {
  return a.name === b.name && a.protocol === b.protocol && a.port === b.port;
}

function sameAddress(a: Address, b: Address): boolean {
  return a === b || (a.family === b.family && a.value === b.value);
}

function sameCidr(a: Cidr, b: Cidr): boolean {
  return a === b || (a.family === b.family && a.value === b.value && a.prefix === b.prefix);
}

function sameLabels(a: Labels, b: Labels): boolean {
  if (a === b) return true;
  let count = 0;
  for (const label in a) {
    if (!Object.hasOwn(b, label) || a[label] !== b[label]) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
  return true;
}

function compareNames(a: Named, b: Named): number {
  return compareText(a.namespace ?? "", b.namespace ?? "") || compareText(a.name, b.name) || compareText(a.kind, b.kind);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
