/**
 * Address to class. A class is the set of address predicates an address
 * satisfies; the address space of a family is cut into intervals, each with
 * its class. Classes keep their numbers from one publication to the next.
 */
import type { Family } from "../address/address.ts";
import type { AddressPredicates } from "./address-sets.ts";
import { packIntervals, type IntervalTable } from "./interval-table.ts";
import { ListInterner } from "./list-interner.ts";
import { packLists, type PackedLists } from "./shared-arrays.ts";

export interface AddressClasses {
  readonly ipv4: IntervalTable;
  readonly ipv6: IntervalTable;
  /** Class to predicates, ascending; predicate 0 is implied and not listed. */
  readonly predicates: PackedLists;
}

/** Up to this many sets are looked through faster than hashed. */
const FEW = 8;

export class AddressClassBuilder {
  readonly #source: AddressPredicates;
  readonly #classes = new ListInterner();
  /** Predicates by one set they include; those that include none, which hold almost everywhere. */
  readonly #bySet: (number[] | undefined)[] = [];
  readonly #unconditional: number[] = [];
  /** How many of the source's predicates are in the two above. */
  #indexed = 1;
  /** Interned list of sets to class. */
  #known: (number | undefined)[] = [];
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
    if (predicates === undefined || this.#packedClasses !== this.#classes.lists.length) {
      predicates = packLists(this.#classes.lists);
      this.#packedClasses = this.#classes.lists.length;
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
    return before !== undefined && !changed ? before : packIntervals(family, prefixes.starts, prefixes.classes);
  }

  /** Takes in new predicates. Returns the lists of sets they may hold for; undefined: almost any. */
  #indexPredicates(): ReadonlySet<number> | undefined {
    const { predicates, setLists } = this.#source;
    const sets = this.#published === undefined ? undefined : new Set<number>();
    let everywhere = false;
    for (; this.#indexed < predicates.length; this.#indexed++) {
      const first = predicates[this.#indexed].include[0];
      if (first === undefined) {
        this.#unconditional.push(this.#indexed);
        everywhere = true;
        continue;
      }
      sets?.add(first);
      const asking = this.#bySet[first];
      if (asking === undefined) this.#bySet[first] = [this.#indexed];
      else asking.push(this.#indexed);
    }
    // Before the first publication nothing has a class that could be another one now.
    if (sets === undefined) return undefined;
    if (everywhere) {
      this.#known = [];
      return undefined;
    }
    const moved = new Set<number>();
    if (sets.size > 0) {
      setLists.lists.forEach((list, id) => {
        if (!list.some((set) => sets.has(set))) return;
        moved.add(id);
        this.#known[id] = undefined;
      });
    }
    return moved;
  }

  #classOf(list: number): number {
    const known = this.#known[list];
    if (known !== undefined) return known;
    const sets = this.#source.setLists.lists[list];
    const inside = sets.length > FEW ? new Set(sets) : undefined;
    const held: number[] = [];
    for (const id of this.#unconditional) if (this.#holds(id, sets, inside)) held.push(id);
    for (let i = 0; i < sets.length; i++) {
      const asking = i > 0 && sets[i - 1] === sets[i] ? undefined : this.#bySet[sets[i]];
      if (asking !== undefined) for (const id of asking) if (this.#holds(id, sets, inside)) held.push(id);
    }
    held.sort((a, b) => a - b);
    return (this.#known[list] = this.#classes.intern(held));
  }

  /** Does the predicate, of which one included set is known to be there, hold for an address in these sets? */
  #holds(id: number, sets: readonly number[], inside: ReadonlySet<number> | undefined): boolean {
    const { include, exclude } = this.#source.predicates[id];
    if (include.length > 1) for (const set of include) if (!(inside?.has(set) ?? sets.includes(set))) return false;
    for (const set of exclude) if (inside?.has(set) ?? sets.includes(set)) return false;
    return true;
  }
}
