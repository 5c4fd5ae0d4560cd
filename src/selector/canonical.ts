/**
 * The canonical form behind a selector's key: it selects exactly what the
 * original selects, and does not depend on the order or repetition of operands
 * and set members, nor on how conjunctions are bracketed. It is not a proof of
 * equivalence: two selectors that mean the same may keep different keys.
 */
import type { SelectorNode } from "./ast.ts";
import { formatSelector } from "./format.ts";

export function canonicalSelector(node: SelectorNode): SelectorNode {
  switch (node.op) {
    case "in":
    case "notIn":
      return { ...node, values: [...new Set(node.values)].toSorted() };
    case "not": {
      const operand = canonicalSelector(node.operand);
      return operand.op === "not" ? operand.operand : { op: "not", operand };
    }
    case "and":
    case "or":
      return canonicalList(node.op, node.operands);
    default:
      return node;
  }
}

function canonicalList(op: "and" | "or", operands: readonly SelectorNode[]): SelectorNode {
  const byText = new Map<string, SelectorNode>();
  for (const operand of operands) {
    const canonical = canonicalSelector(operand);
    for (const each of canonical.op === op ? canonical.operands : [canonical]) byText.set(formatSelector(each), each);
  }
  const sorted = [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node);
  return sorted.length === 1 ? (sorted[0] as SelectorNode) : { op, operands: sorted };
}
