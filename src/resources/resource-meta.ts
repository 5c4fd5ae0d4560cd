/** `metadata` of a resource: name, labels, annotations (SEMANTICS 1.1). */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import type { NameRule } from "./resource-name.ts";
import { isLabelKey, isLabelValue, MAX_NAME_LENGTH, NAMESPACE_NAME } from "./resource-name.ts";
import type { Labels, ResourceMeta } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_ANNOTATION_BYTES = 256 * 1024;

export const metaSchema = z.looseObject({
  name: z.string().nullish(),
  namespace: z.string().nullish(),
  labels: z.record(z.string(), z.string()).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

/** What an API server adds; no reason for a warning. */
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

export type RawMeta = z.output<typeof metaSchema>;

export interface NamespacedMeta extends ResourceMeta {
  readonly namespace: string;
}

export const DEFAULT_NAMESPACE = "default";

/** The metadata of a resource that belongs to no namespace. */
export function readGlobalMeta(meta: RawMeta, nameRule: NameRule, context: ResourceContext): ResourceMeta {
  if (typeof meta.namespace === "string" && meta.namespace !== "") {
    const message = "this kind belongs to no namespace; the field has no effect";
    context.warn("RAMPART_W_NAMESPACE_IGNORED", ["metadata", "namespace"], message);
  }
  return readMeta(meta, nameRule, context);
}

/** The metadata of a resource in a namespace, which is `default` where none is given (SEMANTICS 1.2). */
export function readNamespacedMeta(meta: RawMeta, nameRule: NameRule, context: ResourceContext): NamespacedMeta {
  const given = meta.namespace ?? "";
  const namespace = given === "" ? DEFAULT_NAMESPACE : given;
  if (!NAMESPACE_NAME.pattern.test(namespace)) {
    const message = `${JSON.stringify(namespace)} is not the name of a namespace`;
    context.error("RAMPART_E_NAME", ["metadata", "namespace"], message, `expected ${NAMESPACE_NAME.expected}`);
  }
  return { ...readMeta(meta, nameRule, context), namespace };
}

function readMeta(meta: RawMeta, nameRule: NameRule, context: ResourceContext): ResourceMeta {
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
  checkAnnotations(meta.annotations ?? {}, context);
  context.warnUnknownFields(["metadata"], meta, KNOWN_FIELDS);
  const labels = readLabels(meta.labels ?? {}, ["metadata", "labels"], context);
  const created = typeof meta["creationTimestamp"] === "string" ? Date.parse(meta["creationTimestamp"]) : Number.NaN;
  return { name, labels, location: context.location([]), ...(Number.isNaN(created) ? {} : { created }) };
}

/** To be spread last into a policy: V8 gives objects that begin with a spread and go on a hidden class each. */
export function creationTime(meta: ResourceMeta): Pick<ResourceMeta, "created"> {
  return meta.created === undefined ? {} : { created: meta.created };
}

/** Labels at `path`; RAMPART_E_NAME and RAMPART_E_VALUE for what Kubernetes would not take (SEMANTICS 1.1). */
export function readLabels(
  given: Readonly<Record<string, string>>,
  base: ValuePath,
  context: ResourceContext,
): Labels {
  // Without a prototype, so that no label name finds a built-in property.
  const labels = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(given)) {
    const path = [...base, key];
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
