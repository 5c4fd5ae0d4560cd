/**
 * Takes the memory that reading left in a resource and keeping it does not
 * need: room at the end of lists that were appended to, names that hold on to
 * the text they were cut from, selectors that were written many times over. A
 * resource is kept for as long as its document stays as it is.
 *
 * Only for resources nobody else has seen yet: they are changed in place, and
 * say the same afterwards. What is shared is never changed again by anyone.
 */
import type { Selector } from "../selector/ast.ts";

const NOTHING: readonly never[] = Object.freeze([]);
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze(Object.create(null) as Record<string, string>);

/** V8 copies shorter parts of a text; a longer one is a reference to all of it. */
const SHORTEST_SLICE = 13;

export class Compactor {
  /** What came before, so that equal texts and selectors are there once. As long as a load takes. */
  readonly #texts = new Map<string, string>();
  readonly #selectors = new Map<string, Selector>();

  /** `resource`: objects without a prototype of their own, lists and plain values, as a tree. */
  compact(resource: object): void {
    const fields = resource as Record<string, unknown>;
    for (const name in fields) {
      const value = fields[name];
      if (typeof value !== "string" && typeof value !== "object") continue;
      // Always: a text that takes less compares as the same.
      fields[name] = name === "labels" && isEmpty(value) ? NO_LABELS : this.#small(value);
    }
  }

  #small(value: unknown): unknown {
    if (typeof value === "string") return value.length < SHORTEST_SLICE ? value : this.#text(value);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return this.#list(value);
    if (isSelector(value)) return this.#selector(value);
    this.compact(value);
    return value;
  }

  #list(list: unknown[]): readonly unknown[] {
    if (list.length === 0) return NOTHING;
    const small = list.slice();
    for (let i = 0; i < small.length; i++) small[i] = this.#small(small[i]);
    return small;
  }

  #text(text: string): string {
    let known = this.#texts.get(text);
    if (known === undefined) {
      known = copy(text);
      this.#texts.set(known, known);
    }
    return known;
  }

  /** Those with equal texts may still differ, by the policy's namespace; those with equal keys in what is written. */
  #selector(selector: Selector): Selector {
    const name = this.#text(`${selector.key}\n${selector.text}`);
    const known = this.#selectors.get(name);
    if (known !== undefined) return known;
    this.compact(selector);
    this.#selectors.set(name, selector);
    return selector;
  }
}

/** Every code unit as it was, also where no valid text has it. */
function copy(text: string): string {
  const encoding = /[\u0100-\uffff]/.test(text) ? "utf16le" : "latin1";
  return Buffer.from(text, encoding).toString(encoding);
}

function isSelector(value: object): value is Selector {
  return Object.hasOwn(value, "root") && Object.hasOwn(value, "key");
}

function isEmpty(value: unknown): boolean {
  for (const _ in value as object) return false;
  return true;
}
