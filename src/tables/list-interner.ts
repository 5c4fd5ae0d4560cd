/**
 * Hash-consing of sorted number lists: equal lists get the same id, ids count
 * from 0 in order of first appearance. Lists lie back to back: list i is
 * values[starts[i] .. starts[i + 1]).
 */
import { sharedUint32, type PackedLists } from "./shared-arrays.ts";
import { WordList } from "./word-list.ts";

export class ListInterner {
  readonly #starts = new WordList();
  readonly #values = new WordList();
  readonly #hashes = new WordList();
  /** Id + 1 by hash, open addressing, at most half full. */
  #slots = new Uint32Array(64);

  constructor() {
    this.#starts.push(0);
  }

  /** How many lists there are. */
  get count(): number {
    return this.#hashes.length;
  }

  /** Valid until the next new list. */
  get starts(): Uint32Array {
    return this.#starts.words;
  }

  /** Valid until the next new list. */
  get values(): Uint32Array {
    return this.#values.words;
  }

  /** The id of the list of the first `length` numbers. */
  intern(list: ArrayLike<number>, length: number = list.length): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < length; i++) hash = Math.imul(hash ^ list[i], 0x9e3779b1) ^ (hash >>> 15);
    hash = (hash ^ (hash >>> 16)) >>> 0;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const id = this.#slots[slot] - 1;
      if (id < 0) break;
      if (this.#hashes.words[id] === hash && this.#equals(id, list, length)) return id;
      slot = (slot + 1) & mask;
    }
    for (let i = 0; i < length; i++) this.#values.push(list[i]);
    this.#starts.push(this.#values.length);
    this.#hashes.push(hash);
    this.#slots[slot] = this.count;
    if (this.count * 2 > this.#slots.length) this.#grow();
    return this.count - 1;
  }

  /** All lists in shared memory. */
  pack(): PackedLists {
    return { start: sharedUint32(this.#starts.view()), values: sharedUint32(this.#values.view()) };
  }

  #equals(id: number, list: ArrayLike<number>, length: number): boolean {
    const { starts, values } = this;
    const start = starts[id];
    if (starts[id + 1] - start !== length) return false;
    for (let i = 0; i < length; i++) if (values[start + i] !== list[i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    const hashes = this.#hashes.words;
    for (let id = 0; id < this.count; id++) {
      let slot = hashes[id] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    }
    this.#slots = slots;
  }
}
