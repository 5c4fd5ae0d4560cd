/**
 * Address predicates: what a rule's source or destination says about an
 * address, in terms of elementary sets of prefixes (SEMANTICS 1.4, 1.9).
 *
 *   predicate = in every `include` set and in no `exclude` set
 *
 * Equal sets and equal predicates are shared. Predicate 0 is "any address".
 */
import type { Cidr } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";

export interface AddressPredicate {
  readonly include: readonly number[];
  readonly exclude: readonly number[];
}

export class AddressPredicates {
  /** Elementary set id to its prefixes. */
  readonly sets: (readonly Cidr[])[] = [];
  readonly predicates: AddressPredicate[] = [{ include: [], exclude: [] }];
  readonly #setIds = new Map<string, number>();
  readonly #predicateIds = new Map<string, number>();

  /** The set of a list of prefixes. */
  netSet(nets: readonly Cidr[]): number {
    const key = `n:${[...new Set(nets.map(formatCidr))].toSorted().join(",")}`;
    return this.#set(key, () => nets);
  }

  /** The set of what a selector picks; `key` is canonical, `members` is called once a key. */
  selectorSet(key: string, members: () => readonly Cidr[]): number {
    return this.#set(`s:${key}`, members);
  }

  predicate(include: readonly number[], exclude: readonly number[]): number {
    if (include.length === 0 && exclude.length === 0) return 0;
    const sorted = (ids: readonly number[]): number[] => [...new Set(ids)].toSorted((a, b) => a - b);
    const predicate = { include: sorted(include), exclude: sorted(exclude) };
    const key = `${predicate.include.join(",")}!${predicate.exclude.join(",")}`;
    let id = this.#predicateIds.get(key);
    if (id === undefined) {
      id = this.predicates.length;
      this.predicates.push(predicate);
      this.#predicateIds.set(key, id);
    }
    return id;
  }

  #set(key: string, members: () => readonly Cidr[]): number {
    let id = this.#setIds.get(key);
    if (id === undefined) {
      id = this.sets.length;
      this.sets.push(members());
      this.#setIds.set(key, id);
    }
    return id;
  }
}
