/** A selector as the list of conditions that must all hold, for comparing selectors without asking any labels. */
import type { Selector, SelectorNode } from "../selector/ast.ts";
import { canonicalSelector } from "../selector/canonical.ts";
import { formatSelector } from "../selector/format.ts";

/** all() and global() hold for everything that has labels: as conditions they are none. */
export function conjuncts(root: SelectorNode): readonly SelectorNode[] {
  const canonical = canonicalSelector(root);
  const operands = canonical.op === "and" ? canonical.operands : [canonical];
  return operands.filter(({ op }) => op !== "all" && op !== "global");
}

const keysOf = new WeakMap<Selector, ReadonlySet<string>>();

function conjunctKeys(selector: Selector): ReadonlySet<string> {
  let keys = keysOf.get(selector);
  if (keys === undefined) keysOf.set(selector, (keys = new Set(conjuncts(selector.root).map(formatSelector))));
  return keys;
}

/** Does `wide` choose whatever `narrow` chooses, because it has no condition that `narrow` has not? */
export function selectsAllOf(wide: Selector, narrow: Selector): boolean {
  if (wide.key === narrow.key) return true;
  const keys = conjunctKeys(narrow);
  return [...conjunctKeys(wide)].every((key) => keys.has(key));
}

/** Can no labels at all satisfy the selector? Found where its conditions contradict each other label by label. */
export function selectsNobody(selector: Selector): boolean {
  const values = new Map<string, Demand>();
  for (const node of conjuncts(selector.root)) {
    if (node.op === "not" && node.operand.op === "has") {
      demandOf(values, node.operand.label).absent = true;
    } else if ("label" in node) {
      demandLabel(demandOf(values, node.label), node);
    }
  }
  return [...values.values()].some(isContradiction);
}

interface Demand {
  present: boolean;
  absent: boolean;
  /** undefined: any value. */
  allowed: readonly string[] | undefined;
  readonly refused: Set<string>;
}

function demandOf(values: Map<string, Demand>, label: string): Demand {
  let demand = values.get(label);
  if (demand === undefined) {
    values.set(label, (demand = { present: false, absent: false, allowed: undefined, refused: new Set() }));
  }
  return demand;
}

function demandLabel(demand: Demand, node: Extract<SelectorNode, { readonly label: string }>): void {
  switch (node.op) {
    case "ne":
      demand.refused.add(node.value);
      return;
    case "notIn":
      for (const value of node.values) demand.refused.add(value);
      return;
    case "eq":
      allowOnly(demand, [node.value]);
      return;
    case "in":
      allowOnly(demand, node.values);
      return;
    default:
      demand.present = true;
  }
}

function allowOnly(demand: Demand, values: readonly string[]): void {
  demand.allowed = demand.allowed?.filter((value) => values.includes(value)) ?? values;
  demand.present = true;
}

function isContradiction({ present, absent, allowed, refused }: Demand): boolean {
  return (present && absent) || (allowed !== undefined && allowed.every((value) => refused.has(value)));
}
