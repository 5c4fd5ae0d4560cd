/**
 * Fields that are valid in Calico but that this build does not enforce. They
 * are refused, never ignored: leaving out a criterion widens an Allow. Values
 * that ask for nothing (false, "", [], {}) are accepted.
 */
import type { ResourceContext } from "./resource-context.ts";
import type { ValuePath } from "./yaml-document.ts";

export function refuseFeature(
  object: Readonly<Record<string, unknown>>,
  field: string,
  path: ValuePath,
  context: ResourceContext,
): void {
  if (isUnset(object[field])) return;
  context.errorAtKey(
    "RAMPART_E_FEATURE",
    [...path, field],
    `${field} is valid, but this version of Rampart does not enforce it`,
    "remove it and express the policy without it",
  );
}

/** A value that asks for nothing. */
export function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
