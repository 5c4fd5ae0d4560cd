/**
 * Which elementary sets hold which prefixes of one family, in order of address
 * and then of length, and from that the intervals of the address space. After
 * a change only the intervals inside the prefixes that changed are found anew.
 *
 * Everything is records of words: a prefix is its first address, its length
 * and its interned list of sets; a change is a prefix with a set it was added
 * to, or ~set that it was taken from, in the place of the list; an interval is
 * its first address and its class.
 */
import { endianness } from "node:os";
import { addressBits, type Cidr, type Family } from "../address/address.ts";
import { addressWidth, compareAddresses, writeAddress, writeLast, writeMasked, writeNext } from "./address-words.ts";
import type { ListInterner } from "./list-interner.ts";
import { WordList } from "./word-list.ts";

/** From here on, one pass over everything is cheaper than a search for each. */
const MANY_CHANGES = 256;
/** Of the two words of a 64-bit number in memory, the less significant one. */
const LOW_WORD = endianness() === "LE" ? 0 : 1;
const POSITION_BITS = 26;

export class PrefixTable {
  readonly #bits: number;
  readonly #width: number;
  /** Words of a prefix, and of an interval. */
  readonly #size: number;
  readonly #step: number;
  /** Interned sorted lists of set ids; shared by both families. */
  readonly #lists: ListInterner;
  readonly #empty: number;
  /** A prefix that is in a set twice has the set twice in its list, so that one of them can go. */
  #prefixes = new WordList();
  #changes = new WordList();
  #intervals = new WordList();
  readonly #merged = new WordList();
  readonly #scratch: Uint32Array;

  constructor(family: Family, lists: ListInterner) {
    this.#bits = addressBits(family);
    this.#width = addressWidth(family);
    this.#size = this.#width + 2;
    this.#step = this.#width + 1;
    this.#scratch = new Uint32Array(this.#size);
    this.#lists = lists;
    this.#empty = lists.intern([]);
  }

  add(set: number, cidr: Cidr): void {
    this.#change(cidr, set);
  }

  remove(set: number, cidr: Cidr): void {
    this.#change(cidr, ~set);
  }

  #change(cidr: Cidr, change: number): void {
    const scratch = this.#scratch;
    writeAddress(scratch, 0, cidr);
    scratch[this.#width] = cidr.prefix;
    scratch[this.#width + 1] = change;
    this.#changes.append(scratch, 0, this.#size);
  }

  /** First address and class of each interval, ascending from address 0; valid until the next update. */
  get intervals(): Uint32Array {
    return this.#intervals.view();
  }

  /**
   * Brings the intervals up to date; true if they changed. `toClass` gives the class of an interned list of sets;
   * `moved` are lists whose class may be another one than at the last call, undefined for all.
   */
  update(toClass: (list: number) => number, moved: ReadonlySet<number> | undefined): boolean {
    const changed = this.#changes;
    this.#changes = new WordList();
    this.#apply(changed);
    if (this.#intervals.length === 0 || moved === undefined) {
      this.#rebuild(toClass);
      return true;
    }
    const many = MANY_CHANGES * this.#size;
    if (moved.size > 0) {
      const { words, length } = this.#prefixes;
      for (let at = 0; at < length && changed.length <= many; at += this.#size) {
        if (moved.has(words[at + this.#width + 1])) changed.append(words, at, this.#size);
      }
    }
    if (changed.length === 0) return false;
    if (changed.length > many) this.#rebuild(toClass);
    else for (const prefix of this.#outermost(changed)) this.#splice(changed.words, prefix, toClass);
    return true;
  }

  #apply(changes: WordList): void {
    if (changes.length > MANY_CHANGES * this.#size) this.#applyAll(changes);
    else for (let at = 0; at < changes.length; at += this.#size) this.#applyOne(changes.words, at);
  }

  #applyOne(changes: Uint32Array, change: number): void {
    const prefixes = this.#prefixes;
    const size = this.#size;
    const at = this.#search(changes, change);
    const known = at < prefixes.length && this.#order(prefixes.words, at, changes, change) === 0;
    const list = known ? this.#list(prefixes.words[at + size - 1]) : [];
    changeList(list, changes[change + size - 1] | 0);
    if (list.length === 0) {
      if (known) prefixes.replace(at, at + size, changes, 0);
      return;
    }
    const interned = this.#lists.intern(list);
    if (!known) prefixes.replace(at, at, changes.subarray(change, change + size), size);
    prefixes.words[at + size - 1] = interned;
  }

  /** All changes in one pass. */
  #applyAll(changes: WordList): void {
    const size = this.#size;
    const { words } = changes;
    const sorted = this.#inOrder(changes);
    const before = this.#prefixes;
    const prefixes = new WordList();
    let from = 0;
    for (let i = 0; i < sorted.length; ) {
      const prefix = sorted[i];
      let order = 1;
      for (; from < before.length; from += size) {
        order = this.#order(before.words, from, words, prefix);
        if (order >= 0) break;
        prefixes.append(before.words, from, size);
      }
      let list: number[] = [];
      if (from < before.length && order === 0) {
        list = this.#list(before.words[from + size - 1]);
        from += size;
      }
      for (; i < sorted.length && this.#order(words, sorted[i], words, prefix) === 0; i++) {
        changeList(list, words[sorted[i] + size - 1] | 0);
      }
      if (list.length === 0) continue;
      prefixes.append(words, prefix, size - 1);
      prefixes.push(this.#lists.intern(list));
    }
    prefixes.append(before.words, from, before.length - from);
    this.#prefixes = prefixes;
  }

  #list(id: number): number[] {
    const { starts, values } = this.#lists;
    return Array.from(values.subarray(starts[id], starts[id + 1]));
  }

  /** Places of the prefixes in order; equal ones as they came. */
  #inOrder({ words, length }: WordList): Uint32Array {
    const size = this.#size;
    const count = length / size;
    const places = new Uint32Array(count);
    if (this.#width > 1 || count >= 1 << POSITION_BITS) {
      for (let i = 0; i < count; i++) places[i] = i * size;
      places.sort((a, b) => this.#order(words, a, words, b) || a - b);
      return places;
    }
    // Address, length and place in one number: numbers are sorted without a question for each pair.
    const keys = new BigUint64Array(count);
    const halves = new Uint32Array(keys.buffer);
    for (let i = 0, at = 0; i < count; i++, at += size) {
      halves[i * 2 + LOW_WORD] = (words[at + 1] << POSITION_BITS) | i;
      halves[i * 2 + 1 - LOW_WORD] = words[at];
    }
    keys.sort();
    for (let i = 0; i < count; i++) places[i] = (halves[i * 2 + LOW_WORD] & ((1 << POSITION_BITS) - 1)) * size;
    return places;
  }

  /** Places of those of the prefixes that lie in no other, in order. */
  #outermost(prefixes: WordList): number[] {
    const { words } = prefixes;
    const width = this.#width;
    const last = new Uint32Array(width);
    const result: number[] = [];
    for (const place of this.#inOrder(prefixes)) {
      if (result.length > 0 && compareAddresses(last, 0, words, place, width) >= 0) continue;
      result.push(place);
      writeLast(last, 0, words, place, width, words[place + width]);
    }
    return result;
  }

  #rebuild(toClass: (list: number) => number): void {
    this.#intervals = new WordList();
    const ends = new Uint32Array(this.#width * 2).fill(0xffffffff, this.#width);
    this.#sweep(0, ends, this.#empty, toClass, this.#intervals);
  }

  /** Finds the intervals inside one prefix anew. */
  #splice(words: Uint32Array, prefix: number, toClass: (list: number) => number): void {
    const width = this.#width;
    const step = this.#step;
    const length = words[prefix + width];
    const outside = this.#around(words, prefix, length);
    const ends = new Uint32Array(width * 3);
    ends.set(words.subarray(prefix, prefix + width));
    writeLast(ends, width, words, prefix, width, length);
    const fresh = new WordList();
    this.#sweep(this.#search(words, prefix), ends, outside, toClass, fresh);

    const intervals = this.#intervals;
    const from = this.#firstAtOrAbove(ends, 0);
    const toTheEnd = !writeNext(ends, width * 2, ends, width, width);
    const to = toTheEnd ? intervals.length : this.#firstAtOrAbove(ends, width * 2);
    const goesOn =
      toTheEnd || (to < intervals.length && compareAddresses(intervals.words, to, ends, width * 2, width) === 0);
    if (!goesOn) {
      fresh.append(ends, width * 2, width);
      fresh.push(intervals.words[to - 1]);
    }
    intervals.replace(from, to, fresh.words, fresh.length);
    this.#join(from + fresh.length);
    if (!goesOn) this.#join(from + fresh.length - step);
    this.#join(from);
  }

  /** The interned union of the lists of the prefixes around one. */
  #around(words: Uint32Array, prefix: number, length: number): number {
    const width = this.#width;
    const wanted = this.#scratch;
    let outside = this.#empty;
    for (let shorter = 0; shorter < length; shorter++) {
      writeMasked(wanted, 0, words, prefix, width, shorter);
      wanted[width] = shorter;
      const at = this.#search(wanted, 0);
      const prefixes = this.#prefixes;
      if (at < prefixes.length && this.#order(prefixes.words, at, wanted, 0) === 0) {
        outside = this.#union(outside, prefixes.words[at + width + 1]);
      }
    }
    return outside;
  }

  /** An edge that changes nothing is not worth an interval. */
  #join(at: number): void {
    const { words, length } = this.#intervals;
    const step = this.#step;
    if (at === 0 || at >= length || words[at + step - 1] !== words[at - 1]) return;
    this.#intervals.replace(at, at + step, words, 0);
  }

  /**
   * The intervals between two addresses (`ends`: first and last), which prefixes from place `at` on cut up; appended to
   * `intervals`.
   */
  #sweep(at: number, ends: Uint32Array, outside: number, toClass: (list: number) => number, intervals: WordList): void {
    const width = this.#width;
    const size = this.#size;
    const { words, length } = this.#prefixes;
    // Prefixes nest or are apart, so a stack of open ones is enough.
    const openLast = new Uint32Array((this.#bits + 2) * width);
    const openList = new Uint32Array(this.#bits + 2);
    const next = new Uint32Array(width);
    let open = 0;
    openLast.set(ends.subarray(width, width * 2));
    openList[0] = outside;
    this.#begin(intervals, ends, 0, toClass(outside));
    for (; at < length && compareAddresses(words, at, ends, width, width) <= 0; at += size) {
      while (open > 0 && compareAddresses(openLast, open * width, words, at, width) < 0) {
        writeNext(next, 0, openLast, open * width, width);
        open--;
        this.#begin(intervals, next, 0, toClass(openList[open]));
      }
      const list = this.#union(openList[open], words[at + width + 1]);
      open++;
      writeLast(openLast, open * width, words, at, width, words[at + width]);
      openList[open] = list;
      this.#begin(intervals, words, at, toClass(list));
    }
    for (; open > 0; open--) {
      if (compareAddresses(openLast, open * width, ends, width, width) >= 0) continue;
      writeNext(next, 0, openLast, open * width, width);
      this.#begin(intervals, next, 0, toClass(openList[open - 1]));
    }
  }

  /** From the address at from[at] on the class is `cls`. */
  #begin(intervals: WordList, from: Uint32Array, at: number, cls: number): void {
    const width = this.#width;
    const step = this.#step;
    const { length } = intervals;
    if (length > 0 && compareAddresses(intervals.words, length - step, from, at, width) === 0) intervals.length -= step;
    if (intervals.length > 0 && intervals.words[intervals.length - 1] === cls) return;
    intervals.append(from, at, width);
    intervals.push(cls);
  }

  /** The interned union of two interned lists, without duplicates. */
  #union(a: number, b: number): number {
    const { starts, values } = this.#lists;
    let i = starts[a];
    let j = starts[b];
    const aEnd = starts[a + 1];
    const bEnd = starts[b + 1];
    // What stands alone, which is the most of it.
    if (i === aEnd && bEnd - j === 1) return b;
    const merged = this.#merged;
    merged.length = 0;
    while (i < aEnd || j < bEnd) {
      const next = j >= bEnd || (i < aEnd && values[i] <= values[j]) ? values[i++] : values[j++];
      if (merged.length === 0 || merged.words[merged.length - 1] !== next) merged.push(next);
    }
    return this.#lists.intern(merged.words, merged.length);
  }

  /** Place of the prefix, or where it would stand. */
  #search(wanted: Uint32Array, at: number): number {
    const size = this.#size;
    const { words, length } = this.#prefixes;
    let low = 0;
    let high = length / size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#order(words, middle * size, wanted, at) < 0) low = middle + 1;
      else high = middle;
    }
    return low * size;
  }

  /** By first address, then by length. */
  #order(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
    const width = this.#width;
    return compareAddresses(a, i, b, j, width) || a[i + width] - b[j + width];
  }

  /** Place of the first interval that does not begin below the address. */
  #firstAtOrAbove(wanted: Uint32Array, at: number): number {
    const step = this.#step;
    const { words, length } = this.#intervals;
    let low = 0;
    let high = length / step;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareAddresses(words, middle * step, wanted, at, this.#width) < 0) low = middle + 1;
      else high = middle;
    }
    return low * step;
  }
}

/** Puts a set into a sorted list, or takes ~`change` out of it. */
function changeList(list: number[], change: number): void {
  if (change < 0) {
    list.splice(list.indexOf(~change), 1);
    return;
  }
  let at = list.length;
  while (at > 0 && list[at - 1] > change) at--;
  if (at === list.length) list.push(change);
  else list.splice(at, 0, change);
}
