/**
 * What can only be judged with every document at hand: names given twice, and
 * policies of tiers that do not exist (SEMANTICS 1.1, 1.6). The result is the
 * same for every order of files.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { LoadRecord } from "./resource-context.ts";
import { BUILT_IN_TIERS } from "./tier.ts";
import type { Resource, ResourceSet, Tier } from "./types.ts";

/**
 * `tiersComplete` is false where a document that could not be read may have
 * been the tier that is missed; blaming the policy would then mislead.
 */
export function crossCheck(
  resources: readonly Resource[],
  tiersComplete: boolean,
  { diagnostics, tierReferences }: LoadRecord,
): ResourceSet {
  const unique = rejectDuplicates(resources, diagnostics);
  const tiers = withBuiltIns(ofKind(unique, "Tier"));
  if (tiersComplete) {
    const names = new Set(tiers.map((tier) => tier.name));
    for (const { policy, tier, location } of tierReferences) {
      if (names.has(tier)) continue;
      const message = `policy ${policy} is in tier "${tier}", which does not exist`;
      const hint = `add a Tier named "${tier}", or correct spec.tier`;
      diagnostics.error("RAMPART_E_TIER_MISSING", message, location, hint);
    }
  }
  return {
    policies: byName(ofKind(unique, "GlobalNetworkPolicy")),
    hostEndpoints: byName(ofKind(unique, "HostEndpoint")),
    networkSets: byName(ofKind(unique, "GlobalNetworkSet")),
    tiers: byName(tiers),
    felixConfigurations: byName(ofKind(unique, "FelixConfiguration")),
  };
}

function rejectDuplicates(resources: readonly Resource[], diagnostics: Diagnostics): Resource[] {
  const first = new Map<string, Resource>();
  for (const resource of resources) {
    const key = `${resource.kind} ${resource.name}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, resource);
      continue;
    }
    const message = `${key} is already defined at ${formatPlace(other.location)}`;
    diagnostics.error("RAMPART_E_DUPLICATE", message, resource.location, "rename or remove one of the two");
  }
  return [...first.values()];
}

function formatPlace(location: SourceLocation): string {
  return `${location.file}:${location.line}:${location.column}`;
}

function withBuiltIns(tiers: readonly Tier[]): Tier[] {
  const given = new Set(tiers.map((tier) => tier.name));
  return [...tiers, ...BUILT_IN_TIERS.filter((tier) => !given.has(tier.name))];
}

function ofKind<K extends Resource["kind"]>(resources: readonly Resource[], kind: K): Extract<Resource, { kind: K }>[] {
  return resources.filter((resource): resource is Extract<Resource, { kind: K }> => resource.kind === kind);
}

/** Names are ASCII, so comparing code units is comparing bytes. */
function byName<R extends Resource>(resources: readonly R[]): R[] {
  return resources.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
