/**
 * Shape errors, as zod finds them, in Rampart's words: the code a person can
 * search for, what was expected, and where.
 */
import type { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import type { ValuePath } from "./yaml-document.ts";

type Issue = z.core.$ZodIssue;

/** Parses `value`; on failure reports every issue below `path` and returns undefined. */
export function parseShape<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: ValuePath,
  context: ResourceContext,
): z.output<S> | undefined {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  for (const issue of result.error.issues) reportIssue(issue, path, context);
  return undefined;
}

function reportIssue(issue: Issue, base: ValuePath, context: ResourceContext): void {
  const path = [...base, ...(issue.path as (string | number)[])];
  switch (issue.code) {
    case "unrecognized_keys":
      for (const key of issue.keys) {
        context.errorAtKey("RAMPART_E_FIELD_UNKNOWN", [...path, key], "unknown field", issue.message);
      }
      return;
    case "invalid_type":
    case "invalid_union": {
      const expected = expectedTypes(issue);
      if (issue.input === undefined) {
        context.error("RAMPART_E_FIELD_MISSING", path, "required, but not given", `give ${expected}`);
        return;
      }
      const message = `expected ${expected}, got ${describe(issue.input)}`;
      context.error("RAMPART_E_TYPE", path, message, typeHint(issue.input, expected));
      return;
    }
    case "too_big":
      if (issue.origin === "array" || issue.origin === "string") {
        const unit = issue.origin === "array" ? "entries" : "characters";
        context.error("RAMPART_E_LIMIT", path, `more than ${issue.maximum} ${unit}`, "split it or shorten it");
        return;
      }
      context.error("RAMPART_E_VALUE", path, `${describe(issue.input)} is too large`, `at most ${issue.maximum}`);
      return;
    case "too_small":
      context.error("RAMPART_E_VALUE", path, `${describe(issue.input)} is too small`, `at least ${issue.minimum}`);
      return;
    case "invalid_value": {
      const expected = issue.values.map((value) => JSON.stringify(value)).join(" or ");
      if (issue.input === undefined) {
        context.error("RAMPART_E_FIELD_MISSING", path, "required, but not given", `give ${expected}`);
        return;
      }
      context.error("RAMPART_E_VALUE", path, `${describe(issue.input)} is not allowed here`, `expected ${expected}`);
      return;
    }
    default:
      context.error("RAMPART_E_VALUE", path, issue.message, "see the field's description");
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function expectedTypes(issue: Issue): string {
  if (issue.code === "invalid_type") return TYPE_NAMES[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_union") return issue.errors.flat().map(expectedTypes).join(" or ");
  return issue.message;
}

/** A value as a message shows it, short. */
export function describe(value: unknown): string {
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  return String(value);
}

function typeHint(input: unknown, expected: string): string {
  if (expected === "text" && (typeof input === "number" || typeof input === "boolean")) {
    return `quote it: "${String(input)}"`;
  }
  if (expected === "a list") return "start each entry on its own line with `- `";
  return `write ${expected} here`;
}
