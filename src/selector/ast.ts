/**
 * The parsed form of a Calico selector (SEMANTICS 2). `text` is what the user
 * wrote, for messages; `key` is canonical: equal keys select the same labels.
 */
export type SelectorNode =
  | { readonly op: "all" }
  | { readonly op: "global" }
  | { readonly op: "has"; readonly label: string }
  | { readonly op: "eq" | "ne" | "contains" | "startsWith" | "endsWith"; readonly label: string; readonly value: string }
  | { readonly op: "in" | "notIn"; readonly label: string; readonly values: readonly string[] }
  | { readonly op: "not"; readonly operand: SelectorNode }
  | { readonly op: "and" | "or"; readonly operands: readonly SelectorNode[] };

export interface Selector {
  readonly text: string;
  readonly key: string;
  readonly root: SelectorNode;
}
