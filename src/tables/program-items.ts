/**
 * The items of a program that is being made, in order, as they will lie in its
 * block (program-block.ts): rule, and the item to go on with after Pass or Log.
 */
import { ITEM_WORDS } from "./program-block.ts";
import type { RuleForms } from "./rule-builder.ts";
import { WordList } from "./word-list.ts";

export class ProgramItems {
  readonly #list = new WordList();

  /** How many there are. */
  get count(): number {
    return this.#list.length / ITEM_WORDS;
  }

  /** Valid until the next change. */
  get words(): Uint32Array {
    return this.#list.view();
  }

  rule(item: number): number {
    return this.#list.words[item * ITEM_WORDS];
  }

  /** An item that is followed by the next one. */
  add(rule: number): void {
    this.#push(rule, this.count + 1);
  }

  /** Skips and Logs go on behind the rule's last form, so that a rule skips, and logs, as one. */
  addForms(forms: RuleForms): void {
    if (typeof forms === "number") {
      this.add(forms);
      return;
    }
    const end = this.count + forms.skips.length + forms.matches.length;
    for (const rule of forms.skips) this.#push(rule, end);
    for (const rule of forms.matches) this.#push(rule, end);
  }

  goOnAt(item: number, next: number): void {
    this.#list.words[item * ITEM_WORDS + 1] = next;
  }

  #push(rule: number, next: number): void {
    this.#list.push(rule);
    this.#list.push(next);
  }
}
