/**
 * Lists as people write them (SEMANTICS 0.2): nothing at all is an empty list,
 * and a mapping where a list belongs is its only entry, with a warning.
 */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import type { ValuePath } from "./yaml-document.ts";
import { isYamlObject } from "./yaml-value.ts";

export function listOf<T extends z.ZodType>(item: T, limit = Number.MAX_SAFE_INTEGER) {
  return z.preprocess(asList, z.array(item).max(limit)).default([]);
}

export function asList(value: unknown): unknown {
  if (value === null || value === undefined) return [];
  return isYamlObject(value) ? [value] : value;
}

export function warnIfMapping(path: ValuePath, context: ResourceContext): void {
  if (!context.isMapping(path)) return;
  const message = "a mapping where a list is expected, read as a list of this one entry; write `- ` before it";
  context.warn("RAMPART_W_OBJECT_AS_LIST", path, message);
}
