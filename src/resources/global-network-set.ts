/** GlobalNetworkSet (SEMANTICS 1.9): addresses that selectors find by label. */
import { z } from "zod";
import { listOf } from "./field-list.ts";
import { readSetNets } from "./net-list.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import type { GlobalNetworkSet } from "./types.ts";

const NAMESPACE_LABEL = "projectcalico.org/namespace";

const specSchema = z.looseObject({ nets: listOf(z.string()) });

export const globalNetworkSet = defineKind({
  kind: "GlobalNetworkSet",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert(meta, spec, context): GlobalNetworkSet {
    context.warnUnknownFields(["spec"], spec, Object.keys(specSchema.shape));
    if (Object.hasOwn(meta.labels, NAMESPACE_LABEL)) {
      const message = "this label is Calico's own and cannot be set on a network set";
      const hint = "use another label name";
      context.errorAtKey("RAMPART_E_VALUE", ["metadata", "labels", NAMESPACE_LABEL], message, hint);
    }
    return { ...meta, kind: "GlobalNetworkSet", nets: readSetNets(spec.nets, ["spec", "nets"], context) };
  },
});
