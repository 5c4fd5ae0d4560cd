/** GlobalNetworkSet (SEMANTICS 1.9): addresses outside every namespace that selectors find by label. */
import { networkSetFields, readNetworkSet } from "./network-set-fields.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import type { NetworkSet } from "./types.ts";

export const globalNetworkSet = defineKind({
  kind: "GlobalNetworkSet",
  nameRule: SUBDOMAIN_NAME,
  spec: networkSetFields,
  convert(meta, spec, context): NetworkSet {
    return { ...meta, kind: "GlobalNetworkSet", namespace: undefined, nets: readNetworkSet(meta, spec, context) };
  },
});
