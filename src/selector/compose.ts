/**
 * Selectors made out of selectors. What comes out is a selector like any other:
 * its key is canonical, and its text parses back to the same meaning.
 */
import type { Selector, SelectorNode } from "./ast.ts";
import { canonicalSelector } from "./canonical.ts";
import { formatSelector } from "./format.ts";

/** `root` as a selector; without `text`, its printed form stands for what a user would have written. */
export function selectorOf(root: SelectorNode, text: string = formatSelector(root)): Selector {
  return { text, key: formatSelector(canonicalSelector(root)), root };
}

/** The conjunction; all() adds nothing to it, so nothing at all is all(). */
export function andSelectors(nodes: readonly SelectorNode[]): SelectorNode {
  const operands = nodes.flatMap((node) => (node.op === "and" ? node.operands : node.op === "all" ? [] : [node]));
  if (operands.length === 0) return { op: "all" };
  return operands.length === 1 ? (operands[0] as SelectorNode) : { op: "and", operands };
}

export function notSelector(node: SelectorNode): SelectorNode {
  return node.op === "not" ? node.operand : { op: "not", operand: node };
}

/** The same selector over other label names. */
export function mapLabels(node: SelectorNode, rename: (label: string) => string): SelectorNode {
  return mapLeaves(node, (leaf) => ("label" in leaf ? { ...leaf, label: rename(leaf.label) } : leaf));
}

/** The same selector with every all() and every global() replaced; left out, a call stays as it is. */
export function replaceCalls(
  node: SelectorNode,
  by: { readonly all?: SelectorNode; readonly global?: SelectorNode },
): SelectorNode {
  return mapLeaves(node, (leaf) => {
    if (leaf.op === "all") return by.all ?? leaf;
    return leaf.op === "global" ? (by.global ?? leaf) : leaf;
  });
}

type Leaf = Exclude<SelectorNode, { readonly op: "not" | "and" | "or" }>;

function mapLeaves(node: SelectorNode, map: (leaf: Leaf) => SelectorNode): SelectorNode {
  switch (node.op) {
    case "not":
      return { op: "not", operand: mapLeaves(node.operand, map) };
    case "and":
    case "or":
      return { op: node.op, operands: node.operands.map((operand) => mapLeaves(operand, map)) };
    default:
      return map(node);
  }
}
