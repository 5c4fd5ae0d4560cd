/**
 * One kind of resource: the shape of its `spec` and how it becomes a validated
 * resource. A kind is one file that ends in a `defineKind` or
 * `defineNamespacedKind`, plus its line in the registry.
 */
import { z } from "zod";
import { findPlaceholders } from "./placeholder.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { NamespacedMeta, RawMeta } from "./resource-meta.ts";
import { metaSchema, readGlobalMeta, readNamespacedMeta } from "./resource-meta.ts";
import type { NameRule } from "./resource-name.ts";
import { parseShape } from "./schema-issue.ts";
import type { ResourceMeta } from "./types.ts";
import type { YamlObject } from "./yaml-value.ts";

export interface ResourceKind<R> {
  readonly kind: string;
  /** The resource; undefined with every problem reported, or if the document asks for nothing. */
  read(raw: YamlObject, context: ResourceContext): R | undefined;
}

interface KindDefinition<S extends z.ZodType, M extends ResourceMeta, R> {
  readonly kind: string;
  readonly nameRule: NameRule;
  readonly spec: S;
  /** What it returns beside an error is discarded. */
  readonly convert: (meta: M, spec: z.output<S>, context: ResourceContext) => R | undefined;
}

/** A kind with a `spec` that belongs to no namespace. */
export function defineKind<S extends z.ZodType, R>(definition: KindDefinition<S, ResourceMeta, R>): ResourceKind<R> {
  return defineSpecKind(definition, (meta, context) => readGlobalMeta(meta, definition.nameRule, context));
}

/** A kind with a `spec` that lives in a namespace, `default` where none is given (SEMANTICS 1.2). */
export function defineNamespacedKind<S extends z.ZodType, R>(
  definition: KindDefinition<S, NamespacedMeta, R>,
): ResourceKind<R> {
  return defineSpecKind(definition, (meta, context) => readNamespacedMeta(meta, definition.nameRule, context));
}

const ENVELOPE_FIELDS = ["apiVersion", "kind", "metadata", "spec", "status"];

function defineSpecKind<S extends z.ZodType, M extends ResourceMeta, R>(
  definition: KindDefinition<S, M, R>,
  readMeta: (meta: RawMeta, context: ResourceContext) => M,
): ResourceKind<R> {
  const envelope = z.looseObject({ metadata: metaSchema, spec: definition.spec });
  const read = (raw: YamlObject, context: ResourceContext): R | undefined => {
    const before = context.errorCount;
    for (const { path, text } of findPlaceholders(raw)) {
      const hint = "replace it with the value it stands for";
      context.error("RAMPART_E_PLACEHOLDER", path, `${JSON.stringify(text)} is a placeholder`, hint);
    }
    if (context.errorCount > before) return undefined;
    const parsed = parseShape(envelope, raw, [], context) as { metadata: RawMeta; spec: z.output<S> } | undefined;
    if (parsed === undefined) return undefined;
    context.warnUnknownFields([], raw, ENVELOPE_FIELDS);
    const meta = readMeta(parsed.metadata, context);
    const resource = definition.convert(meta, parsed.spec, context);
    return context.errorCount > before ? undefined : resource;
  };
  return { kind: definition.kind, read };
}
