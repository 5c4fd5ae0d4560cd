/**
 * A selector as text that parses back to the same meaning. Brackets appear only
 * where the grammar needs them, so printing never nests deeper than the source.
 */
import type { SelectorNode } from "./ast.ts";

export function formatSelector(node: SelectorNode): string {
  switch (node.op) {
    case "all":
      return "all()";
    case "global":
      return "global()";
    case "has":
      return `has(${node.label})`;
    case "eq":
      return `${node.label} == ${quote(node.value)}`;
    case "ne":
      return `${node.label} != ${quote(node.value)}`;
    case "contains":
      return `${node.label} contains ${quote(node.value)}`;
    case "startsWith":
      return `${node.label} starts with ${quote(node.value)}`;
    case "endsWith":
      return `${node.label} ends with ${quote(node.value)}`;
    case "in":
      return `${node.label} in {${node.values.map(quote).join(", ")}}`;
    case "notIn":
      return `${node.label} not in {${node.values.map(quote).join(", ")}}`;
    case "not":
      return `!${operand(node.operand, ["and", "or", "not"])}`;
    case "and":
      return node.operands.map((each) => operand(each, ["or"])).join(" && ");
    case "or":
      return node.operands.map(formatSelector).join(" || ");
  }
}

function operand(node: SelectorNode, bracketed: readonly SelectorNode["op"][]): string {
  return bracketed.includes(node.op) ? `(${formatSelector(node)})` : formatSelector(node);
}

/** The language has no escapes: a value holds at most one kind of quote. */
function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}
