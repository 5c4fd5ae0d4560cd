/**
 * Kinds of the inventory (SEMANTICS 1.12). Their documents come from a cluster
 * and are full of fields that concern no firewall: only the declared fields are
 * looked at, the rest is passed over without a word.
 */
import { z } from "zod";
import { findPlaceholders } from "./placeholder.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { ResourceKind } from "./resource-kind.ts";
import type { NamespacedMeta, RawMeta } from "./resource-meta.ts";
import { metaSchema, readGlobalMeta, readNamespacedMeta } from "./resource-meta.ts";
import type { NameRule } from "./resource-name.ts";
import { parseShape } from "./schema-issue.ts";
import type { Labels, ResourceMeta } from "./types.ts";
import type { YamlObject, YamlValue } from "./yaml-value.ts";

export interface Annotated {
  readonly annotations: Labels;
}

interface InventoryDefinition<B extends z.ZodRawShape, M extends ResourceMeta, R> {
  readonly kind: string;
  readonly nameRule: NameRule;
  /** The fields of the document that matter, beside its metadata. */
  readonly body: B;
  /** What it returns beside an error is discarded. */
  readonly convert: (meta: M & Annotated, body: z.output<z.ZodObject<B>>, context: ResourceContext) => R;
}

export function defineInventoryKind<B extends z.ZodRawShape, R>(
  definition: InventoryDefinition<B, ResourceMeta, R>,
): ResourceKind<R> {
  return define(definition, readGlobalMeta);
}

export function defineNamespacedInventoryKind<B extends z.ZodRawShape, R>(
  definition: InventoryDefinition<B, NamespacedMeta, R>,
): ResourceKind<R> {
  return define(definition, readNamespacedMeta);
}

function define<B extends z.ZodRawShape, M extends ResourceMeta, R>(
  { kind, nameRule, body, convert }: InventoryDefinition<B, M, R>,
  readMeta: (meta: RawMeta, nameRule: NameRule, context: ResourceContext) => M,
): ResourceKind<R> {
  const envelope = z.object({ metadata: metaSchema });
  const fields = z.object(body);
  const read = (raw: YamlObject, context: ResourceContext): R | undefined => {
    const before = context.errorCount;
    const parsedMeta = parseShape(envelope, raw, [], context);
    const parsedBody = parseShape(fields, raw, [], context);
    if (parsedMeta === undefined || parsedBody === undefined) return undefined;
    const looked = { metadata: parsedMeta.metadata, ...parsedBody } as YamlValue;
    for (const { path, text } of findPlaceholders(looked)) {
      const hint = "replace it with the value it stands for";
      context.error("RAMPART_E_PLACEHOLDER", path, `${JSON.stringify(text)} is a placeholder`, hint);
    }
    if (context.errorCount > before) return undefined;
    const meta = readMeta(parsedMeta.metadata, nameRule, context);
    const annotations = parsedMeta.metadata.annotations ?? {};
    const resource = convert({ ...meta, annotations }, parsedBody as z.output<z.ZodObject<B>>, context);
    return context.errorCount > before ? undefined : resource;
  };
  return { kind, read };
}
