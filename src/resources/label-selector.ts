/**
 * Kubernetes' LabelSelector (SEMANTICS 4): all of matchLabels and all of
 * matchExpressions. An empty one chooses everything, which is all(); a null one
 * is as good as absent. An unknown field is an error, for without it the
 * selector would choose more.
 */
import { z } from "zod";
import type { SelectorNode } from "../selector/ast.ts";
import { andSelectors, notSelector } from "../selector/compose.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import { isLabelKey, isLabelValue } from "./resource-name.ts";
import type { ValuePath } from "./yaml-document.ts";

const SELECTOR_HINT = "a label selector has matchLabels and matchExpressions; without this field it would choose more";
const EXPRESSION_HINT = "an expression has key, operator and values; without this field it would choose more";

const expressionSchema = z.strictObject(
  {
    key: z.string(),
    operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]),
    values: listOf(z.string()),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? EXPRESSION_HINT : undefined) },
);

export const labelSelectorSchema = z
  .strictObject(
    { matchLabels: z.record(z.string(), z.string()).nullish(), matchExpressions: listOf(expressionSchema) },
    { error: (issue) => (issue.code === "unrecognized_keys" ? SELECTOR_HINT : undefined) },
  )
  .nullish();

type Expression = z.output<typeof expressionSchema>;

/** undefined if nothing is given. */
export function readLabelSelector(
  given: z.output<typeof labelSelectorSchema>,
  path: ValuePath,
  context: ResourceContext,
): SelectorNode | undefined {
  if (given === undefined || given === null) return undefined;
  const nodes: SelectorNode[] = [];
  for (const [label, value] of Object.entries(given.matchLabels ?? {})) {
    const labelPath = [...path, "matchLabels", label];
    checkKey(label, labelPath, "key", context);
    checkValue(value, labelPath, context);
    nodes.push({ op: "eq", label, value });
  }
  if (given.matchExpressions.length > 0) warnIfMapping([...path, "matchExpressions"], context);
  for (const [index, expression] of given.matchExpressions.entries()) {
    nodes.push(readExpression(expression, [...path, "matchExpressions", index], context));
  }
  return andSelectors(nodes);
}

function readExpression(expression: Expression, path: ValuePath, context: ResourceContext): SelectorNode {
  const { key, operator, values } = expression;
  checkKey(key, [...path, "key"], "value", context);
  for (const [index, value] of values.entries()) checkValue(value, [...path, "values", index], context);
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) {
      context.error("RAMPART_E_FIELD_MISSING", path, `${operator} needs values`, "give at least one value");
    }
    return { op: operator === "In" ? "in" : "notIn", label: key, values };
  }
  if (values.length > 0) {
    const hint = `remove them, or use ${operator === "Exists" ? "In" : "NotIn"}`;
    context.errorAtKey("RAMPART_E_VALUE", [...path, "values"], `${operator} takes no values`, hint);
  }
  const has: SelectorNode = { op: "has", label: key };
  return operator === "Exists" ? has : notSelector(has);
}

function checkKey(key: string, path: ValuePath, at: "key" | "value", context: ResourceContext): void {
  if (isLabelKey(key)) return;
  const hint = "expected [prefix/]name: letters, digits, `-`, `_`, `.`, the name at most 63 characters";
  if (at === "key") context.errorAtKey("RAMPART_E_NAME", path, "not a valid label name", hint);
  else context.error("RAMPART_E_NAME", path, "not a valid label name", hint);
}

function checkValue(value: string, path: ValuePath, context: ResourceContext): void {
  if (isLabelValue(value)) return;
  const hint = "at most 63 letters, digits, `-`, `_`, `.`, beginning and ending with a letter or digit";
  context.error("RAMPART_E_VALUE", path, "not a valid label value", hint);
}
