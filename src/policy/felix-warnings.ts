/** Settings of FelixConfiguration that are in force on a node and find nothing to act on, or have no effect. */
import type { ResourceSet } from "../resources/types.ts";
import { about, type ChoiceWarning, unprotected } from "./choice-warning.ts";
import { effectiveFelix } from "./failsafe.ts";
import { tunnelEnds } from "./tunnel-ends.ts";

export function felixWarnings(set: ResourceSet, node: string): ChoiceWarning[] {
  const { ipipEnabled, vxlanEnabled, workloadSourceSpoofing, ipv6Support } = effectiveFelix(set, node);
  const warnings: ChoiceWarning[] = [];
  if (!ipv6Support) warnings.push(unprotected("IPv6 IS NOT POLICED: FelixConfiguration has ipv6Support: false"));
  if ((ipipEnabled || vxlanEnabled) && tunnelEnds(set, node).length === 0) {
    const which = ipipEnabled ? "ipipEnabled" : "vxlanEnabled";
    const hint = "add Nodes with addresses, HostEndpoints with expectedIPs or externalNodesList";
    const what = "but no end of a tunnel is known, so that it has no effect";
    warnings.push(about(`FelixConfiguration has ${which}, ${what}; ${hint}`));
  }
  if (workloadSourceSpoofing === "Any") return warnings;
  for (const { namespace, name, node: home, allowedSources } of set.workloadEndpoints) {
    if (home !== node || allowedSources.length === 0) continue;
    const needed = "FelixConfiguration has no workloadSourceSpoofing: Any";
    const what = `WorkloadEndpoint ${namespace}/${name}: its allowed source prefixes have no effect`;
    warnings.push(about(`${what}, ${needed}`));
  }
  return warnings;
}
