/**
 * Address to class. A class is the set of address predicates an address
 * satisfies; the address space of a family is cut at every prefix edge into
 * intervals, each with its class.
 *
 * A lookup takes the interval range of the address's top 16 bits from `root`
 * and halves it: one or two steps for spread-out prefixes, log2(n) at worst,
 * 8 bytes an interval (20 for IPv6).
 */
import { addressBits, type Cidr, type Family } from "../address/address.ts";
import type { AddressPredicates } from "./address-sets.ts";
import { ListInterner } from "./list-interner.ts";
import { packLists, sharedUint32, type PackedLists } from "./shared-arrays.ts";

export interface IntervalTable {
  /** Top 16 bits of an address to the interval that holds its first address; entry 65536 is the last interval. */
  readonly root: Uint32Array;
  /** First address of each interval, ascending: one word for IPv4, four for IPv6. */
  readonly starts: Uint32Array;
  readonly classes: Uint32Array;
}

export interface AddressClasses {
  readonly ipv4: IntervalTable;
  readonly ipv6: IntervalTable;
  /** Class to predicates, ascending; predicate 0 is implied and not listed. */
  readonly predicates: PackedLists;
}

export function buildAddressClasses(source: AddressPredicates): AddressClasses {
  const classes = new ListInterner();
  const toClass = predicateResolver(source, classes);
  const ipv4 = buildFamily(source, 4, toClass);
  const ipv6 = buildFamily(source, 6, toClass);
  return { ipv4, ipv6, predicates: packLists(classes.lists) };
}

/** The class of an IPv4 address given as an unsigned 32-bit number. */
export function classOfIPv4(table: IntervalTable, address: number): number {
  const { root, starts } = table;
  let low = root[address >>> 16];
  let high = root[(address >>> 16) + 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle] <= address) low = middle;
    else high = middle - 1;
  }
  return table.classes[low];
}

/** The class of the IPv6 address in words[at .. at + 4), most significant word first. */
export function classOfIPv6(table: IntervalTable, words: Uint32Array, at: number): number {
  const { root, starts } = table;
  const w0 = words[at];
  const w1 = words[at + 1];
  const w2 = words[at + 2];
  const w3 = words[at + 3];
  let low = root[w0 >>> 16];
  let high = root[(w0 >>> 16) + 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const s = middle << 2;
    let order = starts[s] - w0;
    if (order === 0) order = starts[s + 1] - w1;
    if (order === 0) order = starts[s + 2] - w2;
    if (order === 0) order = starts[s + 3] - w3;
    if (order <= 0) low = middle;
    else high = middle - 1;
  }
  return table.classes[low];
}

/** From the sorted list of elementary sets that hold an address to its class id. */
function predicateResolver(source: AddressPredicates, classes: ListInterner): (sets: readonly number[]) => number {
  const bySet = new Map<number, number[]>();
  const unconditional: number[] = [];
  source.predicates.forEach((predicate, id) => {
    if (id === 0) return;
    const first = predicate.include[0];
    if (first === undefined) unconditional.push(id);
    else {
      const list = bySet.get(first);
      if (list === undefined) bySet.set(first, [id]);
      else list.push(id);
    }
  });
  const elementary = new ListInterner();
  const known: number[] = [];
  return (sets) => {
    const index = elementary.intern(sets);
    const cached = known[index];
    if (cached !== undefined) return cached;
    const inside = new Set(sets);
    const holds = (id: number): boolean => {
      const predicate = source.predicates[id];
      return predicate.include.every((s) => inside.has(s)) && !predicate.exclude.some((s) => inside.has(s));
    };
    const list = unconditional.filter(holds);
    for (const set of sets) for (const id of bySet.get(set) ?? []) if (holds(id)) list.push(id);
    list.sort((a, b) => a - b);
    return (known[index] = classes.intern(list));
  };
}

interface PrefixNode {
  readonly first: bigint;
  readonly last: bigint;
  readonly prefix: number;
  readonly sets: number[];
}

function buildFamily(source: AddressPredicates, family: Family, toClass: (sets: readonly number[]) => number): IntervalTable {
  const nodes = prefixNodes(source.sets, family);
  const space = 1n << BigInt(addressBits(family));
  const starts: bigint[] = [];
  const classes: number[] = [];
  const begin = (at: bigint, sets: readonly number[]): void => {
    const cls = toClass(sets);
    if (starts.length > 0 && starts[starts.length - 1] === at) {
      starts.pop();
      classes.pop();
    }
    // An edge that changes nothing is not worth an interval.
    if (classes.length > 0 && classes[classes.length - 1] === cls) return;
    starts.push(at);
    classes.push(cls);
  };

  // Prefixes nest or are apart, so a stack of open ones is enough.
  const open: { last: bigint; sets: readonly number[] }[] = [{ last: space - 1n, sets: [] }];
  begin(0n, []);
  const closeBefore = (address: bigint): void => {
    while (open.length > 1 && open[open.length - 1].last < address) {
      const closed = open.pop()!;
      begin(closed.last + 1n, open[open.length - 1].sets);
    }
  };
  for (const node of nodes) {
    closeBefore(node.first);
    const sets = mergeSorted(open[open.length - 1].sets, node.sets);
    open.push({ last: node.last, sets });
    begin(node.first, sets);
  }
  while (open.length > 1) {
    const closed = open.pop()!;
    if (closed.last + 1n < space) begin(closed.last + 1n, open[open.length - 1].sets);
  }
  return pack(family, starts, classes);
}

function prefixNodes(sets: readonly (readonly Cidr[])[], family: Family): PrefixNode[] {
  const bits = addressBits(family);
  const byPrefix = new Map<string, PrefixNode>();
  sets.forEach((cidrs, set) => {
    for (const cidr of cidrs) {
      if (cidr.family !== family) continue;
      const key = `${cidr.value.toString(36)}/${cidr.prefix}`;
      const node = byPrefix.get(key);
      if (node === undefined) {
        const last = cidr.value | ((1n << BigInt(bits - cidr.prefix)) - 1n);
        byPrefix.set(key, { first: cidr.value, last, prefix: cidr.prefix, sets: [set] });
      } else if (node.sets[node.sets.length - 1] !== set) node.sets.push(set);
    }
  });
  return [...byPrefix.values()].toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefix - b.prefix));
}

function mergeSorted(a: readonly number[], b: readonly number[]): number[] {
  const out: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i] < b[j])) out.push(a[i++]);
    else if (i >= a.length || b[j] < a[i]) out.push(b[j++]);
    else {
      out.push(a[i++]);
      j++;
    }
  }
  return out;
}

function pack(family: Family, starts: readonly bigint[], classes: readonly number[]): IntervalTable {
  const words = family === 4 ? 1 : 4;
  const packed = sharedUint32(starts.length * words);
  starts.forEach((start, i) => {
    for (let w = 0; w < words; w++) packed[i * words + w] = Number((start >> BigInt(32 * (words - 1 - w))) & 0xffffffffn);
  });
  const root = sharedUint32(65537);
  let interval = 0;
  for (let top = 0; top < 65536; top++) {
    // The interval that holds `top` followed by zero bits.
    while (interval + 1 < starts.length && atOrBelow(packed, (interval + 1) * words, words, top)) interval++;
    root[top] = interval;
  }
  root[65536] = starts.length - 1;
  return { root, starts: packed, classes: sharedUint32(classes) };
}

function atOrBelow(packed: Uint32Array, at: number, words: number, top: number): boolean {
  const limit = top * 65536;
  if (packed[at] !== limit) return packed[at] < limit;
  for (let w = 1; w < words; w++) if (packed[at + w] !== 0) return false;
  return true;
}
