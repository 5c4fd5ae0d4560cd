/**
 * Address to class. A class is the set of address predicates an address
 * satisfies; the address space of a family is cut into intervals, each with
 * its class. Classes keep their numbers from one publication to the next.
 */
import type { Family } from "../address/address.ts";
import type { AddressPredicates } from "./address-sets.ts";
import { addressWidth } from "./address-words.ts";
import { packIntervals, type IntervalTable } from "./interval-table.ts";
import { ListInterner } from "./list-interner.ts";
import type { PackedLists } from "./shared-arrays.ts";
import { sortRecords } from "./word-pool.ts";
import { WordList } from "./word-list.ts";

export interface AddressClasses {
  readonly ipv4: IntervalTable;
  readonly ipv6: IntervalTable;
  /** Class to predicates, ascending; predicate 0 is implied and not listed. */
  readonly predicates: PackedLists;
}

const NO_CLASS = 0xffffffff;

export class AddressClassBuilder {
  readonly #source: AddressPredicates;
  readonly #classes = new ListInterner();
  /** Compound predicates by one set they include; those that include none, which hold almost everywhere. */
  readonly #bySet: (number[] | undefined)[] = [];
  readonly #unconditional: number[] = [];
  /** How many of the source's predicates are in the two above. */
  #indexed = 1;
  /** Interned list of sets to class, as far as it is known. */
  readonly #known = new WordList();
  readonly #held = new WordList();
  #published: AddressClasses | undefined;
  #packedClasses = 0;

  constructor(source: AddressPredicates) {
    this.#source = source;
  }

  /** The classes as they are now; what did not change since the last call is the same object. */
  publish(): AddressClasses {
    const moved = this.#indexPredicates();
    const toClass = (list: number): number => this.#classOf(list);
    const before = this.#published;
    const ipv4 = this.#table(4, toClass, moved, before?.ipv4);
    const ipv6 = this.#table(6, toClass, moved, before?.ipv6);
    let predicates = before?.predicates;
    if (predicates === undefined || this.#packedClasses !== this.#classes.count) {
      predicates = this.#classes.pack();
      this.#packedClasses = this.#classes.count;
    }
    this.#published = { ipv4, ipv6, predicates };
    return this.#published;
  }

  #table(
    family: Family,
    toClass: (list: number) => number,
    moved: ReadonlySet<number> | undefined,
    before: IntervalTable | undefined,
  ): IntervalTable {
    const prefixes = this.#source.prefixes(family);
    const changed = prefixes.update(toClass, moved);
    return before !== undefined && !changed ? before : packIntervals(addressWidth(family), prefixes.intervals);
  }

  /** Takes in new predicates. Returns the lists of sets they may hold for; undefined: almost any. */
  #indexPredicates(): ReadonlySet<number> | undefined {
    const source = this.#source;
    const sets = this.#published === undefined ? undefined : new Set<number>();
    let everywhere = false;
    for (; this.#indexed < source.predicateCount; this.#indexed++) {
      const first = source.firstSet(this.#indexed);
      if (first === undefined) {
        this.#unconditional.push(this.#indexed);
        everywhere = true;
        continue;
      }
      sets?.add(first);
      if (source.compound(this.#indexed) === undefined) continue;
      const asking = this.#bySet[first];
      if (asking === undefined) this.#bySet[first] = [this.#indexed];
      else asking.push(this.#indexed);
    }
    // Before the first publication nothing has a class that could be another one now.
    if (sets === undefined) return undefined;
    if (everywhere) {
      this.#known.length = 0;
      return undefined;
    }
    const moved = new Set<number>();
    if (sets.size > 0) {
      const { starts, values, count } = source.setLists;
      for (let list = 0; list < count; list++) {
        for (let i = starts[list]; i < starts[list + 1]; i++) {
          if (!sets.has(values[i])) continue;
          moved.add(list);
          if (list < this.#known.length) this.#known.words[list] = NO_CLASS;
          break;
        }
      }
    }
    return moved;
  }

  #classOf(list: number): number {
    const known = this.#known;
    while (known.length <= list) known.push(NO_CLASS);
    if (known.words[list] !== NO_CLASS) return known.words[list];
    const source = this.#source;
    const { starts, values } = source.setLists;
    const held = this.#held;
    held.length = 0;
    const end = starts[list + 1];
    for (const id of this.#unconditional) if (this.#holds(id, list)) held.push(id);
    for (let i = starts[list]; i < end; i++) {
      const set = values[i];
      if (i > starts[list] && values[i - 1] === set) continue;
      const single = source.single(set);
      if (single !== undefined) held.push(single);
      const asking = this.#bySet[set];
      if (asking !== undefined) for (const id of asking) if (this.#holds(id, list)) held.push(id);
    }
    sort(held);
    return (known.words[list] = this.#classes.intern(held.words, held.length));
  }

  /** Does the compound predicate hold for an address in these sets? */
  #holds(id: number, list: number): boolean {
    const predicate = this.#source.compound(id);
    if (predicate === undefined) return true;
    const { starts, values } = this.#source.setLists;
    for (const set of predicate.include) if (!isAmong(values, starts[list], starts[list + 1], set)) return false;
    for (const set of predicate.exclude) if (isAmong(values, starts[list], starts[list + 1], set)) return false;
    return true;
  }
}

/** Sets and their predicates are made together, so that most lists are in order as they are. */
function sort({ words, length }: WordList): void {
  for (let i = 1; i < length; i++) {
    if (words[i - 1] <= words[i]) continue;
    sortRecords(words, 0, length, 1, 0);
    return;
  }
}

/** Is `wanted` in the ascending values[low .. high)? */
function isAmong(values: Uint32Array, low: number, high: number, wanted: number): boolean {
  const end = high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low < end && values[low] === wanted;
}
