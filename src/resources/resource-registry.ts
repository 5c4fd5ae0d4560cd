/**
 * Which document is which kind, by API group and kind together: kinds of
 * different groups share names (NetworkPolicy is three different things).
 * A document that might be a policy is never skipped silently.
 */
import { felixConfiguration } from "./felix-configuration.ts";
import { globalNetworkPolicy } from "./global-network-policy.ts";
import { globalNetworkSet } from "./global-network-set.ts";
import { hostEndpoint } from "./host-endpoint.ts";
import type { ResourceKind } from "./resource-kind.ts";
import { tier } from "./tier.ts";

const CALICO_KINDS: readonly ResourceKind[] = [
  felixConfiguration,
  globalNetworkPolicy,
  globalNetworkSet,
  hostEndpoint,
  tier,
];

/** Enforced kinds; Calico's two API groups mean the same (SEMANTICS 1.1). */
const ENFORCED: ReadonlyMap<string, readonly ResourceKind[]> = new Map([
  ["projectcalico.org/v3", CALICO_KINDS],
  ["crd.projectcalico.org/v1", CALICO_KINDS],
]);

/** Kinds of policy groups that say nothing about which packets pass. */
const CALICO_UNRELATED = [
  "BGPConfiguration",
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
  ["networking.k8s.io", ["Ingress", "IngressClass", "IPAddress", "ServiceCIDR"]],
  ["policy.networking.k8s.io", []],
]);

export type KindLookup =
  | { readonly found: "enforced"; readonly kind: ResourceKind }
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

  const similar = CALICO_KINDS.find((known) => known.kind.toLowerCase() === kind.toLowerCase());
  return {
    found: "refused",
    message: `kind ${kind} of apiVersion ${apiVersion} is not enforced by this version of Rampart`,
    hint:
      similar === undefined
        ? "remove the document; ignoring it could leave open what it was meant to close"
        : `did you mean kind ${similar.kind} of apiVersion projectcalico.org/v3?`,
  };
}

/** A policy's name under a group nobody knows is more likely a typing error than something else. */
function looksLikePolicy(kind: string): boolean {
  const folded = kind.toLowerCase();
  return folded.endsWith("networkpolicy") || CALICO_KINDS.some((known) => known.kind.toLowerCase() === folded);
}
