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

/** What of a rule the index is made of: source, destination, destination port, form. */
export const RULE_KEY_WORDS = 4;

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
