/**
 * What GlobalNetworkSet and NetworkSet have in common (SEMANTICS 1.9): prefixes
 * that need not be masked, and labels that cannot pretend to be in a namespace.
 */
import { z } from "zod";
import type { Cidr } from "../address/address.ts";
import { listOf } from "./field-list.ts";
import { NAMESPACE_LABEL } from "./implicit-label.ts";
import { readSetNets } from "./net-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { ResourceMeta } from "./types.ts";

export const networkSetFields = z.looseObject({ nets: listOf(z.string()) }).nullish();

/** The set's prefixes. */
export function readNetworkSet(
  meta: ResourceMeta,
  given: z.output<typeof networkSetFields>,
  context: ResourceContext,
): Cidr[] {
  const spec = given ?? { nets: [] };
  context.warnUnknownFields(["spec"], spec, ["nets"]);
  if (Object.hasOwn(meta.labels, NAMESPACE_LABEL)) {
    const message = "this label is Calico's own and cannot be set on a network set";
    const hint = "use another label name";
    context.errorAtKey("RAMPART_E_VALUE", ["metadata", "labels", NAMESPACE_LABEL], message, hint);
  }
  return readSetNets(spec.nets, ["spec", "nets"], context);
}
