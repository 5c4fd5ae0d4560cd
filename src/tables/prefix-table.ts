/**
 * Which elementary sets hold which prefixes of one family, in order of address
 * and then of length, and from that the intervals of the address space. After
 * a change only the intervals inside the prefixes that changed are found anew.
 */
import { addressBits, maskAddress, type Cidr, type Family } from "../address/address.ts";
import type { ListInterner } from "./list-interner.ts";

/** From here on, one pass over everything is cheaper than a search for each. */
const MANY_CHANGES = 256;

export class PrefixTable {
  readonly #family: Family;
  /** Interned sorted lists of set ids; shared by both families. */
  readonly #lists: ListInterner;
  /** A prefix that is in a set twice has the set twice in its list, so that one of them can go. */
  #cidrs: Cidr[] = [];
  #setLists: number[] = [];
  /** Prefix to what happened to it: a set it was added to, or ~set that it was taken from. */
  #changes = new Map<Cidr, number | number[]>();
  #starts: bigint[] = [];
  #classes: number[] = [];
  readonly #empty: number;

  constructor(family: Family, lists: ListInterner) {
    this.#family = family;
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
    const changes = this.#changes.get(cidr);
    if (changes === undefined) this.#changes.set(cidr, change);
    else if (typeof changes === "number") this.#changes.set(cidr, [changes, change]);
    else changes.push(change);
  }

  get starts(): readonly bigint[] {
    return this.#starts;
  }

  get classes(): readonly number[] {
    return this.#classes;
  }

  /**
   * Brings the intervals up to date; true if they changed. `toClass` gives the class of an interned list of sets;
   * `moved` are lists whose class may be another one than at the last call, undefined for all.
   */
  update(toClass: (list: number) => number, moved: ReadonlySet<number> | undefined): boolean {
    const changed = this.#changes.size === 0 ? [] : this.#applyChanges();
    if (this.#starts.length === 0 || moved === undefined) {
      this.#rebuild(toClass);
      return true;
    }
    if (moved.size > 0) {
      const holds = (list: number): boolean => moved.has(list);
      for (let i = 0; i < this.#cidrs.length; i++) if (holds(this.#setLists[i])) changed.push(this.#cidrs[i]);
    }
    if (changed.length === 0) return false;
    if (changed.length > MANY_CHANGES) this.#rebuild(toClass);
    else for (const cidr of outermost(changed)) this.#splice(cidr, toClass);
    return true;
  }

  /** Returns the prefixes that changed. */
  #applyChanges(): Cidr[] {
    const changes = this.#changes;
    this.#changes = new Map();
    if (changes.size > MANY_CHANGES) this.#merge(changes);
    else for (const [cidr, sets] of changes) this.#apply(cidr, sets);
    return [...changes.keys()];
  }

  #apply(cidr: Cidr, changes: number | readonly number[]): void {
    const at = this.#search(cidr);
    const known = at < this.#cidrs.length && order(this.#cidrs[at], cidr) === 0;
    const list = known ? [...this.#lists.lists[this.#setLists[at]]] : [];
    change(list, changes);
    if (known && list.length > 0) this.#setLists[at] = this.#lists.intern(list);
    else if (known) {
      this.#cidrs.splice(at, 1);
      this.#setLists.splice(at, 1);
    } else if (list.length > 0) {
      this.#cidrs.splice(at, 0, cidr);
      this.#setLists.splice(at, 0, this.#lists.intern(list));
    }
  }

  /** All changes in one pass. */
  #merge(changes: ReadonlyMap<Cidr, number | readonly number[]>): void {
    const sorted = inOrder([...changes.keys()]);
    const before = this.#cidrs;
    const beforeLists = this.#setLists;
    const cidrs: Cidr[] = [];
    const setLists: number[] = [];
    let from = 0;
    for (let i = 0; i < sorted.length; ) {
      const cidr = sorted[i];
      while (from < before.length && order(before[from], cidr) < 0) {
        cidrs.push(before[from]);
        setLists.push(beforeLists[from++]);
      }
      const list = from < before.length && order(before[from], cidr) === 0 ? [...this.#lists.lists[beforeLists[from++]]] : [];
      for (; i < sorted.length && (sorted[i] === cidr || order(sorted[i], cidr) === 0); i++) {
        change(list, changes.get(sorted[i]) ?? []);
      }
      if (list.length === 0) continue;
      cidrs.push(cidr);
      setLists.push(this.#lists.intern(list));
    }
    for (; from < before.length; from++) {
      cidrs.push(before[from]);
      setLists.push(beforeLists[from]);
    }
    this.#cidrs = cidrs.slice();
    this.#setLists = setLists.slice();
  }

  #rebuild(toClass: (list: number) => number): void {
    const starts: bigint[] = [];
    const classes: number[] = [];
    const space = 1n << BigInt(addressBits(this.#family));
    this.#sweep(0, 0n, space - 1n, this.#empty, toClass, starts, classes);
    // Copies have no room for more, which lists that were appended to have.
    this.#starts = starts.slice();
    this.#classes = classes.slice();
  }

  /** Finds the intervals inside one prefix anew. */
  #splice(cidr: Cidr, toClass: (list: number) => number): void {
    const first = cidr.value;
    const last = lastOf(cidr);
    let outside = this.#empty;
    for (let prefix = 0; prefix < cidr.prefix; prefix++) {
      const around = { family: this.#family, value: maskAddress(first, this.#family, prefix), prefix };
      const at = this.#search(around);
      if (at < this.#cidrs.length && order(this.#cidrs[at], around) === 0) outside = this.#union(outside, this.#setLists[at]);
    }
    const starts: bigint[] = [];
    const classes: number[] = [];
    this.#sweep(this.#search(cidr), first, last, outside, toClass, starts, classes);

    const from = firstAtOrAbove(this.#starts, first);
    const to = firstAtOrAbove(this.#starts, last + 1n);
    const goesOn = to < this.#starts.length ? this.#starts[to] === last + 1n : last + 1n === 1n << BigInt(addressBits(this.#family));
    if (!goesOn) {
      starts.push(last + 1n);
      classes.push(this.#classes[to - 1]);
    }
    this.#starts.splice(from, to - from, ...starts);
    this.#classes.splice(from, to - from, ...classes);
    this.#join(from + starts.length);
    if (!goesOn) this.#join(from + starts.length - 1);
    this.#join(from);
  }

  /** An edge that changes nothing is not worth an interval. */
  #join(at: number): void {
    if (at === 0 || at >= this.#starts.length || this.#classes[at] !== this.#classes[at - 1]) return;
    this.#starts.splice(at, 1);
    this.#classes.splice(at, 1);
  }

  /** The intervals of [first, last], which prefixes from position `at` on cut up; appended to `starts` and `classes`. */
  #sweep(
    at: number,
    first: bigint,
    last: bigint,
    outside: number,
    toClass: (list: number) => number,
    starts: bigint[],
    classes: number[],
  ): void {
    const begin = (start: bigint, list: number): void => {
      const cls = toClass(list);
      if (starts.length > 0 && starts[starts.length - 1] === start) {
        starts.pop();
        classes.pop();
      }
      if (classes.length > 0 && classes[classes.length - 1] === cls) return;
      starts.push(start);
      classes.push(cls);
    };
    // Prefixes nest or are apart, so a stack of open ones is enough.
    const openLast: bigint[] = [last];
    const openList: number[] = [outside];
    begin(first, outside);
    for (let i = at; i < this.#cidrs.length && this.#cidrs[i].value <= last; i++) {
      const cidr = this.#cidrs[i];
      while (openLast.length > 1 && openLast[openLast.length - 1] < cidr.value) {
        openList.pop();
        begin(openLast.pop()! + 1n, openList[openList.length - 1]);
      }
      const list = this.#union(openList[openList.length - 1], this.#setLists[i]);
      openLast.push(lastOf(cidr));
      openList.push(list);
      begin(cidr.value, list);
    }
    while (openLast.length > 1) {
      const closed = openLast.pop()!;
      openList.pop();
      if (closed < last) begin(closed + 1n, openList[openList.length - 1]);
    }
  }

  /** The interned union of two interned lists, without duplicates. */
  #union(a: number, b: number): number {
    const { lists } = this.#lists;
    // What stands alone, which is the most of it.
    if (a === this.#empty && lists[b].length === 1) return b;
    return this.#lists.intern(mergeDistinct(lists[a], lists[b]));
  }

  /** Position of the prefix, or where it would stand. */
  #search(cidr: Cidr): number {
    let low = 0;
    let high = this.#cidrs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (order(this.#cidrs[middle], cidr) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function order(a: Cidr, b: Cidr): number {
  return a.value < b.value ? -1 : a.value > b.value ? 1 : a.prefix - b.prefix;
}

function lastOf({ family, value, prefix }: Cidr): bigint {
  return value + (1n << BigInt(addressBits(family) - prefix)) - 1n;
}

/** Those of the prefixes that lie in no other, in order. */
function outermost(cidrs: readonly Cidr[]): Cidr[] {
  const result: Cidr[] = [];
  for (const cidr of cidrs.toSorted(order)) {
    const before = result[result.length - 1];
    if (before === undefined || lastOf(before) < cidr.value) result.push(cidr);
  }
  return result;
}

/** In order, by numbers as far as they tell prefixes apart. */
function inOrder(cidrs: readonly Cidr[]): Cidr[] {
  const keys = Float64Array.from(cidrs, ({ family, value, prefix }) =>
    family === 4 ? Number(value) * 64 + prefix : Number(value >> 76n),
  );
  const positions = Uint32Array.from(cidrs, (_, i) => i);
  positions.sort((a, b) => keys[a] - keys[b] || order(cidrs[a], cidrs[b]));
  return Array.from(positions, (at) => cidrs[at]);
}

function change(list: number[], changes: number | readonly number[]): void {
  if (typeof changes === "number") changeOne(list, changes);
  else for (const each of changes) changeOne(list, each);
}

function changeOne(list: number[], each: number): void {
  if (each < 0) {
    list.splice(list.indexOf(~each), 1);
    return;
  }
  let at = list.length;
  while (at > 0 && list[at - 1] > each) at--;
  if (at === list.length) list.push(each);
  else list.splice(at, 0, each);
}

function mergeDistinct(a: readonly number[], b: readonly number[]): number[] {
  const out: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const next = j >= b.length || (i < a.length && a[i] <= b[j]) ? a[i++] : b[j++];
    if (out[out.length - 1] !== next) out.push(next);
  }
  return out;
}

function firstAtOrAbove(starts: readonly bigint[], wanted: bigint): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
