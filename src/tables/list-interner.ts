/**
 * Hash-consing of sorted number lists: equal lists get the same id, ids count
 * from 0 in order of first appearance.
 */
export class ListInterner {
  readonly lists: (readonly number[])[] = [];
  readonly #hashes: number[] = [];
  /** Id + 1 by hash, open addressing, at most half full. */
  #slots = new Uint32Array(64);

  intern(list: readonly number[]): number {
    let hash = 0x811c9dc5;
    for (const value of list) hash = Math.imul(hash ^ value, 0x9e3779b1) ^ (hash >>> 15);
    hash ^= hash >>> 16;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const id = this.#slots[slot] - 1;
      if (id < 0) break;
      if (this.#hashes[id] === hash && equal(this.lists[id], list)) return id;
      slot = (slot + 1) & mask;
    }
    // Lists were appended to as a rule, and a copy has no room for more.
    this.lists.push(list.slice());
    this.#hashes.push(hash);
    this.#slots[slot] = this.lists.length;
    if (this.lists.length * 2 > this.#slots.length) this.#grow();
    return this.lists.length - 1;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    this.#hashes.forEach((hash, id) => {
      let slot = hash & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = id + 1;
    });
    this.#slots = slots;
  }
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
