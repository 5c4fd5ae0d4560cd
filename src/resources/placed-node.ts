/**
 * Where the parts of a YAML value stand in their file: a tree of the value's
 * own shape that holds character offsets. Every reader of YAML makes one
 * beside the value, so that errors do not depend on which of them read a file.
 */
import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Node, Pair } from "yaml";
import type { AliasTargets } from "./yaml-value.ts";
import { keyText } from "./yaml-value.ts";

export type PlacedNode = PlacedMap | PlacedList | PlacedScalar | PlacedAlias;

export interface PlacedMap {
  readonly type: "map";
  readonly start: number;
  /** In the order of the file, `keyStarts` and `values` likewise. */
  readonly keys: readonly string[];
  readonly keyStarts: readonly number[];
  readonly values: readonly PlacedNode[];
}

export interface PlacedList {
  readonly type: "list";
  readonly start: number;
  readonly items: readonly PlacedNode[];
}

export interface PlacedScalar {
  readonly type: "scalar";
  readonly start: number;
  /** Equal to `start` where there is no text: an empty value. */
  readonly end: number;
  /** undefined unless it is text. */
  readonly text: string | undefined;
}

export interface PlacedAlias {
  readonly type: "alias";
  readonly start: number;
  readonly target: Exclude<PlacedNode, PlacedAlias>;
}

/** The tree of `root` as the `yaml` package has it. */
export function placeNodes(root: Node, aliases: AliasTargets): PlacedNode {
  const placed = new Map<Node, PlacedNode>();
  const place = (node: Node | null | undefined, fallback: number): PlacedNode => {
    if (node === null || node === undefined) return { type: "scalar", start: fallback, end: fallback, text: undefined };
    let made = placed.get(node);
    if (made === undefined) placed.set(node, (made = make(node)));
    return made;
  };
  const make = (node: Node): PlacedNode => {
    const [start, end] = node.range ?? [0, 0];
    if (isAlias(node)) {
      const target = aliases.get(node);
      const found = target === undefined ? undefined : place(target, start);
      if (found === undefined) return { type: "scalar", start, end, text: undefined };
      return { type: "alias", start, target: found.type === "alias" ? found.target : found };
    }
    if (isMap(node)) {
      const pairs = node.items as Pair<Node, Node | null>[];
      const keyStarts = pairs.map(({ key }) => key.range?.[0] ?? 0);
      const values = pairs.map(({ value }, at) => place(value, keyStarts[at] as number));
      return { type: "map", start, keys: pairs.map(({ key }) => keyText(key) ?? ""), keyStarts, values };
    }
    if (isSeq(node)) return { type: "list", start, items: node.items.map((item) => place(item as Node, start)) };
    const text = isScalar(node) && typeof node.value === "string" ? node.value : undefined;
    return { type: "scalar", start, end, text };
  };
  return place(root, 0);
}

/** What a node stands for. */
export function resolved(node: PlacedNode): Exclude<PlacedNode, PlacedAlias> {
  return node.type === "alias" ? node.target : node;
}
