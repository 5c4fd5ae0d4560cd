/**
 * Pods as workload endpoints (SEMANTICS 1.9, 1.12). A pod of the host's network
 * has the node's addresses and a finished one has none it could rely on:
 * neither is an endpoint. A pod that was not given a node is one nobody is
 * local to, as long as it has an address that rules can meet.
 */
import type { Diagnostics } from "./diagnostics.ts";
import { podLabels } from "./effective-label.ts";
import { namespaceProfileName, serviceAccountProfileName } from "./implicit-profile.ts";
import { podInterfaceName } from "./interface-name.ts";
import type { Pod } from "./inventory.ts";
import type { WorkloadEndpoint } from "./types.ts";
import type { WorkloadPrefixes } from "./workload-prefix.ts";

/** No node is called so. */
const NO_NODE = "";

/** The pod's endpoint without what its profiles give; undefined if it is none. */
export function podEndpoint(
  pod: Pod,
  prefixes: WorkloadPrefixes,
  diagnostics: Diagnostics,
): WorkloadEndpoint | undefined {
  if (pod.hostNetwork || pod.finished) return undefined;
  if (pod.node === undefined && pod.addresses.length === 0) {
    const message = `Pod ${pod.namespace}/${pod.name} has neither a node nor an address, so that no rule can meet it`;
    diagnostics.warn("RAMPART_W_POD_UNPLACED", message, pod.location);
    return undefined;
  }
  const node = pod.node ?? NO_NODE;
  const prefix = prefixes.of(node)[0] as string;
  return {
    kind: "WorkloadEndpoint",
    name: pod.name,
    namespace: pod.namespace,
    labels: podLabels(pod.labels, pod.namespace, pod.serviceAccount),
    location: pod.location,
    node,
    interfaceName: pod.interfaceName ?? podInterfaceName(prefix, pod.namespace, pod.name),
    addresses: pod.addresses,
    profiles: [
      namespaceProfileName(pod.namespace),
      serviceAccountProfileName(pod.namespace, pod.serviceAccount),
    ],
    ports: pod.ports,
    allowedSources: pod.allowedSources,
  };
}
