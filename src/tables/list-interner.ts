/**
 * Hash-consing of sorted number lists: equal lists get the same id, ids count
 * from 0 in order of first appearance.
 */
export class ListInterner {
  readonly lists: (readonly number[])[] = [];
  readonly #byHash = new Map<number, number[]>();

  intern(list: readonly number[]): number {
    let hash = 0x811c9dc5;
    for (const value of list) hash = Math.imul(hash ^ value, 0x01000193) ^ (hash >>> 15);
    const candidates = this.#byHash.get(hash);
    if (candidates === undefined) {
      this.lists.push(list);
      this.#byHash.set(hash, [this.lists.length - 1]);
      return this.lists.length - 1;
    }
    for (const id of candidates) if (equal(this.lists[id], list)) return id;
    this.lists.push(list);
    candidates.push(this.lists.length - 1);
    return this.lists.length - 1;
  }
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
