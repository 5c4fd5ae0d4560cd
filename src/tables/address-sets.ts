/**
 * Address predicates: what a rule's source or destination says about an
 * address, in terms of elementary sets of prefixes (SEMANTICS 1.4, 1.9).
 *
 *   predicate = in every `include` set and in no `exclude` set
 *
 * Equal sets and equal predicates are shared. Predicate 0 is "any address".
 * Sets change by single prefixes; a set and a predicate, once made, keep their
 * number.
 */
import type { Cidr, Family } from "../address/address.ts";
import { ListInterner } from "./list-interner.ts";
import { PrefixTable } from "./prefix-table.ts";

export interface AddressPredicate {
  readonly include: readonly number[];
  readonly exclude: readonly number[];
}

const NONE: readonly never[] = [];

export class AddressPredicates {
  readonly predicates: AddressPredicate[] = [{ include: NONE, exclude: NONE }];
  /** Sorted lists of set ids, as prefixes have them. */
  readonly setLists = new ListInterner();
  readonly #prefixes = { 4: new PrefixTable(4, this.setLists), 6: new PrefixTable(6, this.setLists) };
  readonly #setIds = new Map<string, number>();
  /** Set to the predicate that is in it and nothing else. */
  readonly #singles: (number | undefined)[] = [];
  readonly #predicateIds = new Map<string, number>();

  prefixes(family: Family): PrefixTable {
    return this.#prefixes[family];
  }

  /** How many distinct sets there are. */
  get setCount(): number {
    return this.#setIds.size;
  }

  /** The set of a list of prefixes. */
  netSet(nets: readonly Cidr[]): number {
    const keys = nets.length === 1 ? netKey(nets[0]) : [...new Set(nets.map(netKey))].toSorted().join(",");
    return this.namedSet(`n:${keys}`, () => nets);
  }

  /** The set of that name; `members` is called when it is new. */
  namedSet(key: string, members: () => readonly Cidr[]): number {
    let id = this.#setIds.get(key);
    if (id === undefined) {
      id = this.#setIds.size;
      this.#setIds.set(key, id);
      for (const cidr of members()) this.add(id, cidr);
    }
    return id;
  }

  add(set: number, cidr: Cidr): void {
    this.#prefixes[cidr.family].add(set, cidr);
  }

  /** @param cidr one that was added */
  remove(set: number, cidr: Cidr): void {
    this.#prefixes[cidr.family].remove(set, cidr);
  }

  predicate(include: readonly number[], exclude: readonly number[]): number {
    if (include.length === 0 && exclude.length === 0) return 0;
    if (include.length === 1 && exclude.length === 0) {
      const known = this.#singles[include[0]];
      return known ?? (this.#singles[include[0]] = this.#add({ include: include.slice(), exclude: NONE }));
    }
    const predicate = { include: ascending(include), exclude: ascending(exclude) };
    const key = `${predicate.include.join(",")}!${predicate.exclude.join(",")}`;
    let id = this.#predicateIds.get(key);
    if (id === undefined) {
      id = this.#add(predicate);
      this.#predicateIds.set(key, id);
    }
    return id;
  }

  #add(predicate: AddressPredicate): number {
    return this.predicates.push(predicate) - 1;
  }
}

function netKey({ family, value, prefix }: Cidr): string {
  return family === 4 ? `${Number(value)}/${prefix}` : `${value.toString(36)}/${prefix}/6`;
}

function ascending(ids: readonly number[]): readonly number[] {
  return ids.length < 2 ? ids.slice() : [...new Set(ids)].toSorted((a, b) => a - b);
}
