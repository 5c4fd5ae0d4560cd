/**
 * One program as a block of 32-bit words, wherever it lies: all offsets count
 * from its first word, items from the program's first.
 *
 *   head        the fields of Head
 *   items       rule, next: where evaluation goes on after a Jump or a Log
 *   sides       hash tables of source and of destination predicates:
 *               predicate + 1, first item, signature
 *   pairs       hash table of (source predicate, destination predicate):
 *               source + 1, destination, first item, list (0: one item only)
 *   lists       items of a pair with several: count, number of buckets,
 *               buckets, then (item, form) ascending; a bucket is a
 *               destination port predicate, offset and count of its items,
 *               buckets ascending by predicate. Short lists have no buckets.
 *
 * A signature is a 32-bit Bloom filter of the predicates that a predicate is
 * paired with: most pairs that are not there cost no look at the table.
 */

export const Head = {
  ITEMS: 0,
  ITEM_COUNT: 1,
  SIDES: 2,
  /** Words from a side's fields to the next one's. */
  SIDE_FIELDS: 3,
  SIDE_SLOTS: 0,
  SIDE_MASK: 1,
  SIDE_COUNT: 2,
  PAIRS: 8,
  PAIR_MASK: 9,
  PAIR_COUNT: 10,
  WORDS: 11,
} as const;
export const ITEM_WORDS = 2;
export const SIDE_WORDS = 3;
export const PAIR_WORDS = 4;
export const BUCKET_WORDS = 3;
export const LIST_HEAD_WORDS = 2;
/** Pairs with more items than this have buckets and are searched, the others' items are looked at one by one. */
export const SHORT_LIST = 4;

export interface ProgramItem {
  readonly rule: number;
  /** Item to go on with after Pass or Log, relative to the program's first item. */
  readonly next: number;
}

/** What of a rule the index is made of. */
export interface RuleKey {
  readonly source: number;
  readonly destination: number;
  readonly destinationPort: number;
  readonly form: number;
}

/** The place of a predicate in a side's table. */
export function hashPredicate(predicate: number): number {
  const h = Math.imul(predicate + 0x7f4a7c15, 0x9e3779b1);
  return (h ^ (h >>> 15)) >>> 0;
}

export function hashPair(source: number, destination: number): number {
  let h = Math.imul(source + 0x7f4a7c15, 0x9e3779b1) ^ Math.imul(destination + 0x165667b1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

/** The bit of a predicate in a signature. */
export function signatureBit(predicate: number): number {
  return 1 << (Math.imul(predicate + 1, 0x85ebca6b) >>> 27);
}

interface Pair {
  readonly source: number;
  readonly destination: number;
  readonly items: number[];
}

interface SideEntry {
  readonly first: number;
  signature: number;
}

export function buildProgram(items: readonly ProgramItem[], rules: readonly RuleKey[]): Uint32Array {
  const sides: readonly [Map<number, SideEntry>, Map<number, SideEntry>] = [new Map(), new Map()];
  const pairs = new Map<number, Pair>();
  items.forEach(({ rule }, item) => {
    const { source, destination } = rules[rule];
    addToSide(sides[0], source, item, destination);
    addToSide(sides[1], destination, item, source);
    const key = source * 0x4000000 + destination;
    const pair = pairs.get(key);
    if (pair === undefined) pairs.set(key, { source, destination, items: [item] });
    else pair.items.push(item);
  });

  const sideCapacities = sides.map(({ size }) => capacityFor(size));
  const pairCapacity = capacityFor(pairs.size);
  const buckets = new Map<Pair, Map<number, number[]>>();
  let size = Head.WORDS + items.length * ITEM_WORDS + pairCapacity * PAIR_WORDS;
  for (const capacity of sideCapacities) size += capacity * SIDE_WORDS;
  const lists = size;
  for (const pair of pairs.values()) {
    if (pair.items.length === 1) continue;
    if (pair.items.length > SHORT_LIST) buckets.set(pair, byDestinationPort(pair.items, items, rules));
    size += LIST_HEAD_WORDS + (buckets.get(pair)?.size ?? 0) * BUCKET_WORDS + pair.items.length * 2;
  }

  const block = new Uint32Array(size);
  let at: number = Head.WORDS;
  block[Head.ITEMS] = at;
  block[Head.ITEM_COUNT] = items.length;
  for (const { rule, next } of items) {
    block[at++] = rule;
    block[at++] = next;
  }
  sides.forEach((entries, side) => {
    const head = Head.SIDES + side * Head.SIDE_FIELDS;
    const mask = sideCapacities[side] - 1;
    block[head + Head.SIDE_SLOTS] = at;
    block[head + Head.SIDE_MASK] = mask;
    block[head + Head.SIDE_COUNT] = entries.size;
    for (const [predicate, { first, signature }] of entries) {
      let slot = hashPredicate(predicate) & mask;
      while (block[at + slot * SIDE_WORDS] !== 0) slot = (slot + 1) & mask;
      block[at + slot * SIDE_WORDS] = predicate + 1;
      block[at + slot * SIDE_WORDS + 1] = first;
      block[at + slot * SIDE_WORDS + 2] = signature;
    }
    at += sideCapacities[side] * SIDE_WORDS;
  });
  block[Head.PAIRS] = at;
  block[Head.PAIR_MASK] = pairCapacity - 1;
  block[Head.PAIR_COUNT] = pairs.size;
  let list = lists;
  for (const pair of pairs.values()) {
    let slot = hashPair(pair.source, pair.destination) & (pairCapacity - 1);
    while (block[at + slot * PAIR_WORDS] !== 0) slot = (slot + 1) & (pairCapacity - 1);
    const to = at + slot * PAIR_WORDS;
    block[to] = pair.source + 1;
    block[to + 1] = pair.destination;
    block[to + 2] = pair.items[0];
    if (pair.items.length === 1) continue;
    block[to + 3] = list;
    list = writeList(block, list, pair.items, buckets.get(pair), items, rules);
  }
  return block;
}

function addToSide(side: Map<number, SideEntry>, predicate: number, item: number, partner: number): void {
  const entry = side.get(predicate);
  if (entry === undefined) side.set(predicate, { first: item, signature: signatureBit(partner) });
  else entry.signature |= signatureBit(partner);
}

/** A power of two, at most two thirds full. */
function capacityFor(entries: number): number {
  let capacity = 2;
  while (capacity * 2 < entries * 3) capacity *= 2;
  return capacity;
}

function byDestinationPort(
  list: readonly number[],
  items: readonly ProgramItem[],
  rules: readonly RuleKey[],
): Map<number, number[]> {
  const byPort = new Map<number, number[]>();
  for (const item of list) {
    const { destinationPort } = rules[items[item].rule];
    const bucket = byPort.get(destinationPort);
    if (bucket === undefined) byPort.set(destinationPort, [item]);
    else bucket.push(item);
  }
  return new Map([...byPort].toSorted(([a], [b]) => a - b));
}

/** Returns the offset behind it. */
function writeList(
  block: Uint32Array,
  offset: number,
  list: readonly number[],
  buckets: ReadonlyMap<number, readonly number[]> | undefined,
  items: readonly ProgramItem[],
  rules: readonly RuleKey[],
): number {
  block[offset] = list.length;
  block[offset + 1] = buckets?.size ?? 0;
  let bucketAt = offset + LIST_HEAD_WORDS;
  let at = bucketAt + (buckets?.size ?? 0) * BUCKET_WORDS;
  const write = (item: number): void => {
    block[at++] = item;
    block[at++] = rules[items[item].rule].form;
  };
  if (buckets === undefined) list.forEach(write);
  else {
    for (const [predicate, members] of buckets) {
      block[bucketAt++] = predicate;
      block[bucketAt++] = at;
      block[bucketAt++] = members.length;
      members.forEach(write);
    }
  }
  return at;
}
