/**
 * `http` of a rule (SEMANTICS 1.3). Everything about it is checked; a policy
 * that has it is then refused, because without looking at requests its rule
 * would be a plain Allow.
 */
import { z } from "zod";
import { listOf } from "./field-list.ts";
import { TCP } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { Direction } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_ENTRIES = 20;
const FIELDS_HINT = "http has methods and paths, a path has exact or prefix; an ignored criterion would widen the rule";

const strict = {
  error: (issue: z.core.$ZodRawIssue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined),
};

export const httpSchema = z
  .strictObject(
    {
      methods: listOf(z.string(), MAX_ENTRIES),
      paths: listOf(
        z.strictObject({ exact: z.string().nullish(), prefix: z.string().nullish() }, strict),
        MAX_ENTRIES,
      ),
    },
    strict,
  )
  .nullish();

interface HttpRule {
  readonly action: string;
  readonly http?: z.output<typeof httpSchema>;
}

/** Reports what is wrong with the rule's `http`, or else that it is not enforced. */
export function refuseHttp(
  rule: HttpRule,
  protocol: number | undefined,
  direction: Direction,
  path: ValuePath,
  context: ResourceContext,
): void {
  if (rule.http === undefined || rule.http === null) return;
  const { methods, paths } = rule.http;
  // Neither methods nor paths is no condition on a request.
  if (methods.length === 0 && paths.length === 0) return;
  const before = context.errorCount;
  const httpPath = [...path, "http"];
  if (rule.action.toLowerCase() !== "allow") {
    context.errorAtKey("RAMPART_E_VALUE", httpPath, "only Allow rules have http", "use Allow, or leave http out");
  }
  if (direction !== "ingress") {
    const hint = "requests are judged where they arrive; move the rule to ingress";
    context.errorAtKey("RAMPART_E_VALUE", httpPath, "only ingress rules have http", hint);
  }
  if (protocol !== undefined && protocol !== TCP) {
    context.errorAtKey("RAMPART_E_VALUE", httpPath, "http needs protocol TCP", "set protocol to TCP");
  }
  for (const [index, method] of methods.entries()) {
    if (methods.indexOf(method) === index) continue;
    const message = `${JSON.stringify(method)} is listed twice`;
    context.error("RAMPART_E_VALUE", [...httpPath, "methods", index], message, "name each method once");
  }
  for (const [index, each] of paths.entries()) checkPath(each, [...httpPath, "paths", index], context);
  if (context.errorCount > before) return;
  const message = "http is valid, but this version of Rampart does not enforce it";
  context.errorAtKey("RAMPART_E_FEATURE", httpPath, message, "remove it and express the policy without it");
}

function checkPath(
  given: { readonly exact?: string | null | undefined; readonly prefix?: string | null | undefined },
  path: ValuePath,
  context: ResourceContext,
): void {
  const exact = given.exact ?? undefined;
  const prefix = given.prefix ?? undefined;
  const text = exact ?? prefix;
  if (text === undefined || (exact !== undefined && prefix !== undefined)) {
    context.error("RAMPART_E_VALUE", path, "a path is either exact or a prefix", "give one of the two");
    return;
  }
  if (/^\/[^?# ]*$/.test(text)) return;
  const hint = "a path begins with / and has no ?, # or space";
  const field = exact === undefined ? "prefix" : "exact";
  context.error("RAMPART_E_VALUE", [...path, field], `${JSON.stringify(text)} is not a path`, hint);
}
