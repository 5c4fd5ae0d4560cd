/**
 * One kind of resource: the shape of its `spec` and how it becomes a validated
 * resource. A kind is one file that ends in a `defineKind`, plus its line in
 * the registry.
 */
import { z } from "zod";
import { findPlaceholders } from "./placeholder.ts";
import type { ResourceContext } from "./resource-context.ts";
import { metaSchema, readGlobalMeta } from "./resource-meta.ts";
import type { NameRule } from "./resource-name.ts";
import { parseShape } from "./schema-issue.ts";
import type { Resource, ResourceMeta } from "./types.ts";
import type { YamlObject } from "./yaml-value.ts";

export interface ResourceKind {
  readonly kind: string;
  /** The resource, or undefined with every problem reported. */
  read(raw: YamlObject, context: ResourceContext): Resource | undefined;
}

interface KindDefinition<S extends z.ZodType> {
  readonly kind: string;
  readonly nameRule: NameRule;
  readonly spec: S;
  /** undefined only after an error was reported; what it returns beside an error is discarded. */
  readonly convert: (meta: ResourceMeta, spec: z.output<S>, context: ResourceContext) => Resource | undefined;
}

const ENVELOPE_FIELDS = ["apiVersion", "kind", "metadata", "spec", "status"];

export function defineKind<S extends z.ZodType>(definition: KindDefinition<S>): ResourceKind {
  const envelope = z.looseObject({ metadata: metaSchema, spec: definition.spec });
  const read = (raw: YamlObject, context: ResourceContext): Resource | undefined => {
    const before = context.errorCount;
    for (const { path, text } of findPlaceholders(raw)) {
      const hint = "replace it with the value it stands for";
      context.error("RAMPART_E_PLACEHOLDER", path, `${JSON.stringify(text)} is a placeholder`, hint);
    }
    if (context.errorCount > before) return undefined;
    const parsed = parseShape(envelope, raw, [], context) as
      | { metadata: z.output<typeof metaSchema>; spec: z.output<S> }
      | undefined;
    if (parsed === undefined) return undefined;
    context.warnUnknownFields([], raw, ENVELOPE_FIELDS);
    const meta = readGlobalMeta(parsed.metadata, definition.nameRule, context);
    const resource = definition.convert(meta, parsed.spec, context);
    return context.errorCount > before ? undefined : resource;
  };
  return { kind: definition.kind, read };
}
