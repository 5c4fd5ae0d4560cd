/**
 * Which document is which kind, by API group and kind together: kinds of
 * different groups share names (NetworkPolicy is three different things).
 * A document that might be a policy is never skipped silently.
 */
import { bgpConfiguration } from "./bgp-configuration.ts";
import { endpointSlice } from "./endpoint-slice.ts";
import { felixConfiguration } from "./felix-configuration.ts";
import { globalNetworkPolicy, stagedGlobalNetworkPolicy } from "./global-network-policy.ts";
import { globalNetworkSet } from "./global-network-set.ts";
import { hostEndpoint } from "./host-endpoint.ts";
import type { LoadedResource } from "./inventory.ts";
import { kubernetesNetworkPolicy, stagedKubernetesNetworkPolicy } from "./kubernetes-network-policy.ts";
import { namespace } from "./namespace.ts";
import { networkPolicy, stagedNetworkPolicy } from "./network-policy.ts";
import { networkSet } from "./network-set.ts";
import { node } from "./node.ts";
import { pod } from "./pod.ts";
import { profile } from "./profile.ts";
import type { ResourceKind } from "./resource-kind.ts";
import { serviceAccount } from "./service-account.ts";
import { service } from "./service.ts";
import { tier } from "./tier.ts";
import { workloadEndpoint } from "./workload-endpoint.ts";

const CALICO_KINDS: readonly ResourceKind<LoadedResource>[] = [
  bgpConfiguration,
  felixConfiguration,
  globalNetworkPolicy,
  globalNetworkSet,
  hostEndpoint,
  networkPolicy,
  networkSet,
  profile,
  stagedGlobalNetworkPolicy,
  stagedKubernetesNetworkPolicy,
  stagedNetworkPolicy,
  tier,
  workloadEndpoint,
];

/** Who is where (SEMANTICS 1.12). */
const CORE_KINDS: readonly ResourceKind<LoadedResource>[] = [namespace, node, pod, service, serviceAccount];


/** Enforced kinds; Calico's two API groups mean the same (SEMANTICS 1.1). */
const ENFORCED: ReadonlyMap<string, readonly ResourceKind<LoadedResource>[]> = new Map([
  ["projectcalico.org/v3", CALICO_KINDS],
  ["crd.projectcalico.org/v1", CALICO_KINDS],
  ["v1", CORE_KINDS],
  ["discovery.k8s.io/v1", [endpointSlice]],
  ["networking.k8s.io/v1", [kubernetesNetworkPolicy]],
]);

/** Kinds of policy groups that say nothing about which packets pass. */
const CALICO_UNRELATED = [
  "BGPFilter",
  "BGPPeer",
  "BlockAffinity",
  "CalicoNodeStatus",
  "ClusterInformation",
  "IPAMBlock",
  "IPAMConfig",
  "IPAMConfiguration",
  "IPAMHandle",
  "IPPool",
  "IPReservation",
  "KubeControllersConfiguration",
];
const POLICY_GROUPS: ReadonlyMap<string, readonly string[]> = new Map([
  ["projectcalico.org", CALICO_UNRELATED],
  ["crd.projectcalico.org", CALICO_UNRELATED],
  ["cilium.io", []],
  ["discovery.k8s.io", []],
  ["networking.k8s.io", ["Ingress", "IngressClass", "IPAddress", "ServiceCIDR"]],
  ["policy.networking.k8s.io", []],
]);

export type KindLookup =
  | { readonly found: "enforced"; readonly kind: ResourceKind<LoadedResource> }
  | { readonly found: "unrelated" }
  | { readonly found: "refused"; readonly message: string; readonly hint: string };

export function lookUpKind(apiVersion: string, kind: string): KindLookup {
  const kinds = ENFORCED.get(apiVersion);
  const enforced = kinds?.find((known) => known.kind === kind);
  if (enforced !== undefined) return { found: "enforced", kind: enforced };

  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const unrelated = POLICY_GROUPS.get(group);
  if (unrelated?.includes(kind) === true) return { found: "unrelated" };
  if (unrelated === undefined && !looksLikePolicy(kind)) return { found: "unrelated" };

  const similar = kindsLike(kind);
  return {
    found: "refused",
    message: `kind ${kind} of apiVersion ${apiVersion} is not enforced by this version of Rampart`,
    hint:
      similar === ""
        ? "remove the document; ignoring it could leave open what it was meant to close"
        : `did you mean ${similar}?`,
  };
}

/** Kinds of that name, whatever their group and case: `kind X of apiVersion Y or …`; "" if there are none. */
function kindsLike(kind: string): string {
  const folded = kind.toLowerCase();
  const similar: string[] = [];
  for (const [apiVersion, kinds] of ENFORCED) {
    const known = kinds.find((each) => each.kind.toLowerCase() === folded);
    // Calico's two groups mean the same; naming one is enough.
    if (known === undefined || apiVersion.startsWith("crd.")) continue;
    similar.push(`kind ${known.kind} of apiVersion ${apiVersion}`);
  }
  return similar.join(" or ");
}

/** A policy's name under a group nobody knows is more likely a typing error than something else. */
function looksLikePolicy(kind: string): boolean {
  const folded = kind.toLowerCase();
  return folded.endsWith("networkpolicy") || CALICO_KINDS.some((known) => known.kind.toLowerCase() === folded);
}
