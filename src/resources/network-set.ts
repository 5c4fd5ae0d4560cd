/**
 * NetworkSet (SEMANTICS 1.9): addresses that belong to a namespace. Its labels
 * are its own here; linking adds those of the namespace.
 */
import { networkSetFields, readNetworkSet } from "./network-set-fields.ts";
import { defineNamespacedKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import type { NetworkSet } from "./types.ts";

export const networkSet = defineNamespacedKind({
  kind: "NetworkSet",
  nameRule: SUBDOMAIN_NAME,
  spec: networkSetFields,
  convert(meta, spec, context): NetworkSet {
    return { ...meta, kind: "NetworkSet", nets: readNetworkSet(meta, spec, context) };
  },
});
