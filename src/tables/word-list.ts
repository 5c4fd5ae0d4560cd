/**
 * A list of 32-bit words that grows at its end. What a compiler keeps by the
 * hundred thousand is records in such lists: no object each for the collector
 * to follow.
 */

const FIRST_CAPACITY = 16;

export class WordList {
  /** Valid up to `length`, and until the list grows. */
  words = new Uint32Array(FIRST_CAPACITY);
  length = 0;

  push(word: number): void {
    if (this.length === this.words.length) this.#grow(this.length + 1);
    this.words[this.length++] = word;
  }

  /** Appends from[at .. at + count), which may be part of this list. */
  append(from: Uint32Array, at: number, count: number): void {
    const end = this.length + count;
    if (end > this.words.length) this.#grow(end);
    const { words } = this;
    // A record of a few words: less than what a call to copy them costs.
    for (let i = this.length, j = at; i < end; i++, j++) words[i] = from[j];
    this.length = end;
  }

  /** Puts the first `count` words of `other` in the place of those from `from` to `to`. */
  replace(from: number, to: number, other: Uint32Array, count: number): void {
    const length = this.length + count - (to - from);
    if (length > this.words.length) this.#grow(length);
    this.words.copyWithin(from + count, to, this.length);
    this.words.set(other.subarray(0, count), from);
    this.length = length;
  }

  /** The words as they are now; valid until the list changes. */
  view(): Uint32Array {
    return this.words.subarray(0, this.length);
  }

  #grow(needed: number): void {
    const words = new Uint32Array(Math.max(needed, this.words.length * 2));
    words.set(this.view());
    this.words = words;
  }
}
