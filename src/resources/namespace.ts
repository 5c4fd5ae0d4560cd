/**
 * Namespace (SEMANTICS 1.12). Every namespace carries its own name as the label
 * kubernetes.io/metadata.name, as an API server sees to (1.9).
 */
import type { Namespace } from "./inventory.ts";
import { IMPLIED_LOCATION } from "./inventory.ts";
import { defineInventoryKind } from "./inventory-kind.ts";
import { NAMESPACE_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";

const NAME_LABEL = "kubernetes.io/metadata.name";

export const namespace = defineInventoryKind({
  kind: "Namespace",
  nameRule: NAMESPACE_NAME,
  body: {},
  convert({ name, labels, location }, _body, context): Namespace {
    const given = labels[NAME_LABEL];
    if (given !== undefined && given !== name) {
      const message = `the label is always the namespace's name, ${describe(name)}`;
      const hint = "remove the label, it is set by itself";
      context.error("RAMPART_E_VALUE", ["metadata", "labels", NAME_LABEL], message, hint);
    }
    return { kind: "Namespace", name, labels: { ...labels, [NAME_LABEL]: name }, location };
  },
});

/** The namespace of something that names one for which there is no document. */
export function impliedNamespace(name: string): Namespace {
  return { kind: "Namespace", name, labels: { [NAME_LABEL]: name }, location: IMPLIED_LOCATION };
}
