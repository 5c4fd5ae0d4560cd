/**
 * Questions by selector, and which of them an item's labels answer with yes:
 * the other way round from a label index. Questions that demand a label's
 * value are only put to items that have it.
 */
import type { Labels } from "../resources/types.ts";
import type { SelectorNode } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";

/** Chosen is what matches `root` and, where that is given, not `notRoot`. */
export interface Question {
  readonly root: SelectorNode;
  readonly notRoot: SelectorNode | undefined;
}

export class QuestionIndex<Q extends Question> {
  readonly #demanding = new Map<string, Set<Q>>();
  readonly #others = new Set<Q>();

  add(question: Q): void {
    const demand = demandOf(question.root);
    if (demand === undefined) {
      this.#others.add(question);
      return;
    }
    const questions = this.#demanding.get(demand);
    if (questions === undefined) this.#demanding.set(demand, new Set([question]));
    else questions.add(question);
  }

  delete(question: Q): void {
    const demand = demandOf(question.root);
    if (demand === undefined) this.#others.delete(question);
    else this.#demanding.get(demand)?.delete(question);
  }

  /** The questions that choose an item with these labels. */
  asking(labels: Labels): Q[] {
    const found: Q[] = [];
    const put = (question: Q): void => {
      const { root, notRoot } = question;
      if (!matchesSelector(root, labels) || (notRoot !== undefined && matchesSelector(notRoot, labels))) return;
      found.push(question);
    };
    this.#others.forEach(put);
    for (const [label, value] of Object.entries(labels)) this.#demanding.get(demandKey(label, value))?.forEach(put);
    return found;
  }
}

/** A label and value without which nothing matches, the rarest-looking one: not the namespace, which many share. */
function demandOf(node: SelectorNode): string | undefined {
  switch (node.op) {
    case "eq":
      return demandKey(node.label, node.value);
    case "in":
      return node.values.length === 1 ? demandKey(node.label, node.values[0]) : undefined;
    case "and": {
      let demand: string | undefined;
      for (const operand of node.operands) {
        const next = demandOf(operand);
        if (next !== undefined && (demand === undefined || !next.startsWith("projectcalico.org/"))) demand = next;
      }
      return demand;
    }
    default:
      return undefined;
  }
}

function demandKey(label: string, value: string): string {
  return `${label}\u0000${value}`;
}
