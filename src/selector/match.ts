/**
 * Does a selector choose these labels? Only own properties count as labels, so
 * that one named `constructor` or `__proto__` is present exactly when it was set.
 */
import type { Labels } from "../resources/types.ts";
import type { SelectorNode } from "./ast.ts";

/** SEMANTICS 2: a missing label fails every operator but `!=` and `not in`, which it satisfies. */
export function matchesSelector(node: SelectorNode, labels: Labels): boolean {
  switch (node.op) {
    case "all":
    case "global":
      return true;
    case "not":
      return !matchesSelector(node.operand, labels);
    case "and":
      return node.operands.every((operand) => matchesSelector(operand, labels));
    case "or":
      return node.operands.some((operand) => matchesSelector(operand, labels));
    default:
      return matchesLabel(node, Object.hasOwn(labels, node.label) ? labels[node.label] : undefined);
  }
}

type LabelNode = Extract<SelectorNode, { readonly label: string }>;

function matchesLabel(node: LabelNode, value: string | undefined): boolean {
  switch (node.op) {
    case "has":
      return value !== undefined;
    case "eq":
      return value === node.value;
    case "ne":
      return value !== node.value;
    case "contains":
      return value !== undefined && value.includes(node.value);
    case "startsWith":
      return value !== undefined && value.startsWith(node.value);
    case "endsWith":
      return value !== undefined && value.endsWith(node.value);
    case "in":
      return value !== undefined && node.values.includes(value);
    case "notIn":
      return value === undefined || !node.values.includes(value);
  }
}
