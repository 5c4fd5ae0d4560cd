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
import { WordList } from "./word-list.ts";

export interface AddressPredicate {
  readonly include: readonly number[];
  readonly exclude: readonly number[];
}

/** Stands for no predicate, and for no set. */
const NONE = 0xffffffff;

export class AddressPredicates {
  /** Sorted lists of set ids, as prefixes have them. */
  readonly setLists = new ListInterner();
  readonly #prefixes = { 4: new PrefixTable(4, this.setLists), 6: new PrefixTable(6, this.setLists) };
  #sets = 0;
  readonly #setIds = new Map<string, number>();
  /** IPv4 prefixes that are a set each, by address and length. */
  readonly #netIds = new Map<number, number>();
  /** Predicate to a set it includes, and set to the predicate that is in it and nothing else; NONE: there is none. */
  readonly #firstSets = new WordList();
  readonly #singles = new WordList();
  /** Predicates that are more than being in one set. */
  readonly #compounds = new Map<number, AddressPredicate>();
  readonly #predicateIds = new Map<string, number>();

  constructor() {
    this.#add({ include: [], exclude: [] });
  }

  prefixes(family: Family): PrefixTable {
    return this.#prefixes[family];
  }

  /** How many distinct sets there are. */
  get setCount(): number {
    return this.#sets;
  }

  get predicateCount(): number {
    return this.#firstSets.length;
  }

  /** A set the predicate includes, if any. */
  firstSet(predicate: number): number | undefined {
    const set = this.#firstSets.words[predicate];
    return set === NONE ? undefined : set;
  }

  /** What the predicate asks, unless that is being in its first set and nothing else. */
  compound(predicate: number): AddressPredicate | undefined {
    return this.#compounds.get(predicate);
  }

  /** The predicate that is in the set and nothing else. */
  single(set: number): number | undefined {
    const predicate = set < this.#singles.length ? this.#singles.words[set] : NONE;
    return predicate === NONE ? undefined : predicate;
  }

  /** The set of a list of prefixes. */
  netSet(nets: readonly Cidr[]): number {
    if (nets.length === 1 && nets[0].family === 4) return this.#ipv4Set(nets[0]);
    const keys = [...new Set(nets.map(netKey))].toSorted().join(",");
    return this.namedSet(`n:${keys}`, () => nets);
  }

  /** The set of that name; `members` is called when it is new. */
  namedSet(key: string, members: () => readonly Cidr[]): number {
    let id = this.#setIds.get(key);
    if (id === undefined) {
      id = this.#sets++;
      this.#setIds.set(key, id);
      for (const cidr of members()) this.add(id, cidr);
    }
    return id;
  }

  #ipv4Set(net: Cidr): number {
    const key = Number(net.value) * 64 + net.prefix;
    let id = this.#netIds.get(key);
    if (id === undefined) {
      id = this.#sets++;
      this.#netIds.set(key, id);
      this.add(id, net);
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
    if (include.length === 1 && exclude.length === 0) return this.inSet(include[0]);
    const predicate = { include: ascending(include), exclude: ascending(exclude) };
    const key = `${predicate.include.join(",")}!${predicate.exclude.join(",")}`;
    let id = this.#predicateIds.get(key);
    if (id === undefined) {
      id = this.#add(predicate);
      this.#predicateIds.set(key, id);
    }
    return id;
  }

  /** The predicate of being in one set. */
  inSet(set: number): number {
    const singles = this.#singles;
    while (singles.length <= set) singles.push(NONE);
    if (singles.words[set] === NONE) {
      singles.words[set] = this.predicateCount;
      this.#firstSets.push(set);
    }
    return singles.words[set];
  }

  #add(predicate: AddressPredicate): number {
    const id = this.predicateCount;
    this.#firstSets.push(predicate.include[0] ?? NONE);
    this.#compounds.set(id, predicate);
    return id;
  }
}

function netKey({ family, value, prefix }: Cidr): string {
  return family === 4 ? `${Number(value)}/${prefix}` : `${value.toString(36)}/${prefix}/6`;
}

function ascending(ids: readonly number[]): readonly number[] {
  return ids.length < 2 ? ids : [...new Set(ids)].toSorted((a, b) => a - b);
}
