/** Settings of FelixConfiguration that are in force on a node and find nothing to act on, or have no effect. */
import type { ResourceSet } from "../resources/types.ts";
import { effectiveFelix } from "./failsafe.ts";
import { tunnelEnds } from "./tunnel-ends.ts";

export function felixWarnings(set: ResourceSet, node: string): string[] {
  const { ipipEnabled, vxlanEnabled, workloadSourceSpoofing, ipv6Support } = effectiveFelix(set, node);
  const warnings: string[] = [];
  if (!ipv6Support) warnings.push("IPv6 IS NOT POLICED: FelixConfiguration has ipv6Support: false");
  if ((ipipEnabled || vxlanEnabled) && tunnelEnds(set, node).length === 0) {
    const which = ipipEnabled ? "ipipEnabled" : "vxlanEnabled";
    const hint = "add Nodes with addresses, HostEndpoints with expectedIPs or externalNodesList";
    warnings.push(`FelixConfiguration has ${which}, but no end of a tunnel is known, so that it has no effect; ${hint}`);
  }
  if (workloadSourceSpoofing === "Any") return warnings;
  for (const { namespace, name, node: home, allowedSources } of set.workloadEndpoints) {
    if (home !== node || allowedSources.length === 0) continue;
    const needed = "FelixConfiguration has no workloadSourceSpoofing: Any";
    warnings.push(`WorkloadEndpoint ${namespace}/${name}: its allowed source prefixes have no effect, ${needed}`);
  }
  return warnings;
}
