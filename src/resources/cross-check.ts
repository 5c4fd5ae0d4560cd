/**
 * What can only be judged with every document at hand: policies of tiers that
 * do not exist, endpoints with profiles that do not exist, and interfaces and
 * names that two endpoints claim (SEMANTICS 1.6, 1.8, 1.10, 1.11). A document that could
 * not be read may have been what is missed; blaming the one that misses it
 * would then mislead, so `lost` keeps such errors back.
 */
import type { Diagnostics } from "./diagnostics.ts";
import type { Lost } from "./piece-content.ts";
import type { ProfileReference, TierReference } from "./resource-context.ts";
import type { ResourceSet, WorkloadEndpoint } from "./types.ts";
import { WorkloadPrefixes } from "./workload-prefix.ts";

export interface References {
  readonly tiers: readonly TierReference[];
  readonly profiles: readonly ProfileReference[];
}

/** Errors: RAMPART_E_TIER_MISSING, RAMPART_E_PROFILE_MISSING, RAMPART_E_DUPLICATE, RAMPART_E_VALUE. */
export function crossCheck(
  set: ResourceSet,
  references: References,
  lost: ReadonlySet<Lost>,
  diagnostics: Diagnostics,
): void {
  if (!lost.has("tier")) checkTiers(set, references.tiers, diagnostics);
  if (!lost.has("profile")) checkProfiles(set, references.profiles, diagnostics);
  checkHostInterfaces(set, diagnostics);
  checkWorkloads(set, diagnostics);
}

function checkTiers(set: ResourceSet, references: readonly TierReference[], diagnostics: Diagnostics): void {
  const names = new Set(set.tiers.map((tier) => tier.name));
  for (const { policy, tier, location } of references) {
    if (names.has(tier)) continue;
    const message = `policy ${policy} is in tier "${tier}", which does not exist`;
    const hint = `add a Tier named "${tier}", or correct spec.tier`;
    diagnostics.error("RAMPART_E_TIER_MISSING", message, location, hint);
  }
}

function checkProfiles(set: ResourceSet, references: readonly ProfileReference[], diagnostics: Diagnostics): void {
  for (const { endpoint, profile, location } of references) {
    if (set.profiles.has(profile)) continue;
    const message = `endpoint ${endpoint} lists the profile "${profile}", which does not exist`;
    const hint = `add a Profile named "${profile}", or correct spec.profiles`;
    diagnostics.error("RAMPART_E_PROFILE_MISSING", message, location, hint);
  }
}

/** An interface of a workload never follows a host endpoint, which would then protect nothing. */
function checkHostInterfaces(set: ResourceSet, diagnostics: Diagnostics): void {
  const prefixes = new WorkloadPrefixes(set.felixConfigurations);
  for (const { name, node, interfaceName, location } of set.hostEndpoints) {
    const prefix = prefixes.of(node).find((each) => interfaceName?.startsWith(each) === true);
    if (prefix === undefined) continue;
    const message = `HostEndpoint ${name} is for ${interfaceName}, but ${prefix}* are interfaces of workloads`;
    const hint = "name an interface of the host, or set interfacePrefix in the FelixConfiguration";
    diagnostics.error("RAMPART_E_VALUE", message, location, hint);
  }
}

/** Documents and pods become endpoints alike, so that only here two of them can meet. */
function checkWorkloads(set: ResourceSet, diagnostics: Diagnostics): void {
  const claims = new Map<string, WorkloadEndpoint>();
  const claim = (what: string, endpoint: WorkloadEndpoint): void => {
    const other = claims.get(what);
    if (other === undefined) {
      claims.set(what, endpoint);
      return;
    }
    const { file, line, column } = other.location;
    const message =
      `${what} belongs to ${endpoint.namespace}/${endpoint.name} and to ` +
      `${other.namespace}/${other.name} at ${file}:${line}:${column}`;
    const hint = "it can belong to one workload only; correct or remove one of the two";
    diagnostics.error("RAMPART_E_DUPLICATE", message, endpoint.location, hint);
  };
  for (const endpoint of set.workloadEndpoints) {
    const { namespace, name, node, interfaceName } = endpoint;
    claim(`the name ${namespace}/${name}`, endpoint);
    if (node !== "") claim(`interface ${interfaceName} of node ${node}`, endpoint);
  }
}
