/**
 * Finds what a selector chooses without asking everything: an index from
 * label values to items, used for a selector that demands one of them. The
 * rest of the selector is then matched in full, so the index only saves time.
 */
import type { Labels } from "../resources/types.ts";
import type { SelectorNode } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";

export interface Labelled {
  readonly labels: Labels;
}

export class LabelIndex<Item extends Labelled> {
  readonly #items: readonly Item[];
  /** Label name to value to positions of items, ascending. */
  readonly #positions = new Map<string, Map<string, number[]>>();

  constructor(items: readonly Item[]) {
    this.#items = items;
    items.forEach((item, position) => {
      for (const [label, value] of Object.entries(item.labels)) {
        let values = this.#positions.get(label);
        if (values === undefined) this.#positions.set(label, (values = new Map()));
        const list = values.get(value);
        if (list === undefined) values.set(value, [position]);
        else list.push(position);
      }
    });
  }

  /** The items the selector chooses, in the order they were given. */
  select(root: SelectorNode): Item[] {
    const demanded = this.#demanded(root);
    if (demanded === undefined) return this.#items.filter((item) => matchesSelector(root, item.labels));
    const chosen: Item[] = [];
    for (const position of demanded) {
      const item = this.#items[position];
      if (matchesSelector(root, item.labels)) chosen.push(item);
    }
    return chosen;
  }

  /** Positions outside which nothing can match; undefined when the selector demands no label value. */
  #demanded(node: SelectorNode): readonly number[] | undefined {
    switch (node.op) {
      case "eq":
        return this.#positions.get(node.label)?.get(node.value) ?? [];
      case "in": {
        if (node.values.length === 1) return this.#positions.get(node.label)?.get(node.values[0]) ?? [];
        const found = node.values.flatMap((value) => this.#positions.get(node.label)?.get(value) ?? []);
        return [...new Set(found)].toSorted((a, b) => a - b);
      }
      case "and": {
        let fewest: readonly number[] | undefined;
        for (const operand of node.operands) {
          const positions = this.#demanded(operand);
          if (positions !== undefined && (fewest === undefined || positions.length < fewest.length)) fewest = positions;
        }
        return fewest;
      }
      default:
        return undefined;
    }
  }
}
