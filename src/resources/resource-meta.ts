/** `metadata` of a resource: name, labels, annotations (SEMANTICS 1.1). */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import type { NameRule } from "./resource-name.ts";
import { isLabelKey, isLabelValue, MAX_NAME_LENGTH } from "./resource-name.ts";
import type { Labels, ResourceMeta } from "./types.ts";

const MAX_ANNOTATION_BYTES = 256 * 1024;

export const metaSchema = z.looseObject({
  name: z.string().nullish(),
  namespace: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

/** What an API server adds; without effect here, and no reason for a warning. */
const KNOWN_FIELDS = [
  ...Object.keys(metaSchema.shape),
  "generateName",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "ownerReferences",
  "finalizers",
  "managedFields",
  "selfLink",
];

/** The metadata of a resource that belongs to no namespace. */
export function readGlobalMeta(
  meta: z.output<typeof metaSchema>,
  nameRule: NameRule,
  context: ResourceContext,
): ResourceMeta {
  const name = meta.name ?? "";
  if (name === "") {
    const hint = "give the resource a name of its own";
    context.error("RAMPART_E_NAME", ["metadata", "name"], "a resource needs a name", hint);
  } else if (name.length > MAX_NAME_LENGTH) {
    const hint = `at most ${MAX_NAME_LENGTH} characters`;
    context.error("RAMPART_E_NAME", ["metadata", "name"], "the name is too long", hint);
  } else if (!nameRule.pattern.test(name)) {
    const message = `${JSON.stringify(name)} is not a valid name`;
    context.error("RAMPART_E_NAME", ["metadata", "name"], message, `expected ${nameRule.expected}`);
  }
  if (typeof meta.namespace === "string" && meta.namespace !== "") {
    const message = "this kind belongs to no namespace; the field has no effect";
    context.warn("RAMPART_W_NAMESPACE_IGNORED", ["metadata", "namespace"], message);
  }
  checkAnnotations(meta.annotations ?? {}, context);
  context.warnUnknownFields(["metadata"], meta, KNOWN_FIELDS);
  return { name, labels: readLabels(meta.labels ?? {}, context), location: context.location([]) };
}

function readLabels(given: Readonly<Record<string, string>>, context: ResourceContext): Labels {
  // Without a prototype, so that no label name finds a built-in property.
  const labels = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(given)) {
    const path = ["metadata", "labels", key];
    if (!isLabelKey(key)) {
      const hint = "expected [prefix/]name: letters, digits, `-`, `_`, `.`, the name at most 63 characters";
      context.errorAtKey("RAMPART_E_NAME", path, "not a valid label name", hint);
    }
    if (!isLabelValue(value)) {
      const hint = "at most 63 letters, digits, `-`, `_`, `.`, beginning and ending with a letter or digit";
      context.error("RAMPART_E_VALUE", path, "not a valid label value", hint);
    }
    labels[key] = value;
  }
  return labels;
}

function checkAnnotations(annotations: Readonly<Record<string, string>>, context: ResourceContext): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes <= MAX_ANNOTATION_BYTES) return;
  const message = `${bytes} bytes of annotations`;
  context.error("RAMPART_E_LIMIT", ["metadata", "annotations"], message, `at most ${MAX_ANNOTATION_BYTES} bytes`);
}
