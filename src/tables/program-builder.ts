/**
 * Makes the block of a program (program-block.ts) from its items and from the
 * keys of all rules. What it takes meanwhile is kept for the next program,
 * except after a very long one.
 */
import {
  BUCKET_WORDS,
  hashPair,
  hashPredicate,
  Head,
  ITEM_WORDS,
  LIST_HEAD_WORDS,
  PAIR_WORDS,
  RULE_KEY_WORDS,
  SHORT_LIST,
  SIDE_WORDS,
  signatureBit,
} from "./program-block.ts";
import { WordList } from "./word-list.ts";

/** Items of a program of usual length. */
const USUAL_ITEMS = 4096;
/** Records of #pairs: source, destination, first item, last item, number of items. */
const RECORD_WORDS = 5;

/** Items of a pair by destination port predicate, ascending. */
type Buckets = ReadonlyMap<number, readonly number[]>;

export class ProgramBuilder {
  /** Record + 1 by hash, open addressing. */
  #slots = new Uint32Array();
  /** As in the block, but back to back, in order of first appearance. */
  #sides = [new WordList(), new WordList()] as const;
  #pairs = new WordList();
  /** Item to the next one of its pair. */
  #next = new Uint32Array();

  /** @param items rule and next of each. @param keys by rule, RULE_KEY_WORDS each */
  build(items: Uint32Array, keys: Uint32Array): Uint32Array {
    const count = items.length / ITEM_WORDS;
    const capacity = capacityFor(count);
    if (this.#slots.length < capacity) {
      this.#slots = new Uint32Array(capacity);
      this.#next = new Uint32Array(capacity);
    }
    this.#collectSide(0, items, keys, capacity - 1);
    this.#collectSide(1, items, keys, capacity - 1);
    this.#collectPairs(items, keys, capacity - 1);
    const block = this.#write(items, keys);
    if (count > USUAL_ITEMS) {
      this.#slots = new Uint32Array();
      this.#sides = [new WordList(), new WordList()];
      this.#pairs = new WordList();
      this.#next = new Uint32Array();
    }
    return block;
  }

  #collectSide(side: 0 | 1, items: Uint32Array, keys: Uint32Array, mask: number): void {
    const slots = this.#slots.fill(0, 0, mask + 1);
    const entries = this.#sides[side];
    entries.length = 0;
    for (let at = 0; at < items.length; at += ITEM_WORDS) {
      const key = items[at] * RULE_KEY_WORDS;
      const predicate = keys[key + side];
      const partner = signatureBit(keys[key + 1 - side]);
      let slot = hashPredicate(predicate) & mask;
      while (slots[slot] !== 0 && entries.words[(slots[slot] - 1) * SIDE_WORDS] !== predicate + 1) slot = (slot + 1) & mask;
      if (slots[slot] !== 0) {
        entries.words[(slots[slot] - 1) * SIDE_WORDS + 2] |= partner;
        continue;
      }
      entries.push(predicate + 1);
      entries.push(at / ITEM_WORDS);
      entries.push(partner);
      slots[slot] = entries.length / SIDE_WORDS;
    }
  }

  #collectPairs(items: Uint32Array, keys: Uint32Array, mask: number): void {
    const slots = this.#slots.fill(0, 0, mask + 1);
    const pairs = this.#pairs;
    const next = this.#next;
    pairs.length = 0;
    for (let item = 0, at = 0; at < items.length; item++, at += ITEM_WORDS) {
      const key = items[at] * RULE_KEY_WORDS;
      const source = keys[key];
      const destination = keys[key + 1];
      let slot = hashPair(source, destination) & mask;
      let record = 0;
      for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
        record = (slots[slot] - 1) * RECORD_WORDS;
        if (pairs.words[record] === source && pairs.words[record + 1] === destination) break;
      }
      if (slots[slot] !== 0) {
        next[pairs.words[record + 3]] = item;
        pairs.words[record + 3] = item;
        pairs.words[record + 4]++;
        continue;
      }
      pairs.push(source);
      pairs.push(destination);
      pairs.push(item);
      pairs.push(item);
      pairs.push(1);
      slots[slot] = pairs.length / RECORD_WORDS;
    }
  }

  #write(items: Uint32Array, keys: Uint32Array): Uint32Array {
    const pairs = this.#pairs.view();
    const pairCount = pairs.length / RECORD_WORDS;
    const pairCapacity = capacityFor(pairCount);
    const sideCapacities = this.#sides.map((entries) => capacityFor(entries.length / SIDE_WORDS));
    let size = Head.WORDS + items.length + pairCapacity * PAIR_WORDS;
    for (const capacity of sideCapacities) size += capacity * SIDE_WORDS;
    let list = size;
    const buckets = new Map<number, Buckets>();
    for (let record = 0; record < pairs.length; record += RECORD_WORDS) {
      const count = pairs[record + 4];
      if (count === 1) continue;
      size += LIST_HEAD_WORDS + count * 2;
      if (count <= SHORT_LIST) continue;
      const byPort = this.#byDestinationPort(record, items, keys);
      buckets.set(record, byPort);
      size += byPort.size * BUCKET_WORDS;
    }

    const block = new Uint32Array(size);
    let at: number = Head.WORDS;
    block[Head.ITEMS] = at;
    block[Head.ITEM_COUNT] = items.length / ITEM_WORDS;
    block.set(items, at);
    at += items.length;
    this.#sides.forEach((entries, side) => {
      const head = Head.SIDES + side * Head.SIDE_FIELDS;
      block[head + Head.SIDE_SLOTS] = at;
      block[head + Head.SIDE_MASK] = sideCapacities[side] - 1;
      block[head + Head.SIDE_COUNT] = entries.length / SIDE_WORDS;
      writeSide(block, at, entries.view(), sideCapacities[side] - 1);
      at += sideCapacities[side] * SIDE_WORDS;
    });
    block[Head.PAIRS] = at;
    block[Head.PAIR_MASK] = pairCapacity - 1;
    block[Head.PAIR_COUNT] = pairCount;
    for (let record = 0; record < pairs.length; record += RECORD_WORDS) {
      let slot = hashPair(pairs[record], pairs[record + 1]) & (pairCapacity - 1);
      while (block[at + slot * PAIR_WORDS] !== 0) slot = (slot + 1) & (pairCapacity - 1);
      const to = at + slot * PAIR_WORDS;
      block[to] = pairs[record] + 1;
      block[to + 1] = pairs[record + 1];
      block[to + 2] = pairs[record + 2];
      if (pairs[record + 4] === 1) continue;
      block[to + 3] = list;
      list = this.#writeList(block, list, record, buckets.get(record), items, keys);
    }
    return block;
  }

  #byDestinationPort(record: number, items: Uint32Array, keys: Uint32Array): Buckets {
    const { words: pairs } = this.#pairs;
    const byPort = new Map<number, number[]>();
    for (let item = pairs[record + 2], n = pairs[record + 4]; n > 0; item = this.#next[item], n--) {
      const destinationPort = keys[items[item * ITEM_WORDS] * RULE_KEY_WORDS + 2];
      const bucket = byPort.get(destinationPort);
      if (bucket === undefined) byPort.set(destinationPort, [item]);
      else bucket.push(item);
    }
    return new Map([...byPort].toSorted(([a], [b]) => a - b));
  }

  /** Returns the offset behind it. */
  #writeList(
    block: Uint32Array,
    offset: number,
    record: number,
    buckets: Buckets | undefined,
    items: Uint32Array,
    keys: Uint32Array,
  ): number {
    const { words: pairs } = this.#pairs;
    const count = buckets?.size ?? 0;
    block[offset] = pairs[record + 4];
    block[offset + 1] = count;
    let bucketAt = offset + LIST_HEAD_WORDS;
    let at = bucketAt + count * BUCKET_WORDS;
    const write = (item: number): void => {
      block[at++] = item;
      block[at++] = keys[items[item * ITEM_WORDS] * RULE_KEY_WORDS + 3];
    };
    if (buckets === undefined) {
      for (let item = pairs[record + 2], n = pairs[record + 4]; n > 0; item = this.#next[item], n--) write(item);
      return at;
    }
    for (const [predicate, members] of buckets) {
      block[bucketAt++] = predicate;
      block[bucketAt++] = at;
      block[bucketAt++] = members.length;
      members.forEach(write);
    }
    return at;
  }
}

function writeSide(block: Uint32Array, at: number, entries: Uint32Array, mask: number): void {
  for (let entry = 0; entry < entries.length; entry += SIDE_WORDS) {
    let slot = hashPredicate(entries[entry] - 1) & mask;
    while (block[at + slot * SIDE_WORDS] !== 0) slot = (slot + 1) & mask;
    const to = at + slot * SIDE_WORDS;
    block[to] = entries[entry];
    block[to + 1] = entries[entry + 1];
    block[to + 2] = entries[entry + 2];
  }
}

/** A power of two, at most two thirds full. */
function capacityFor(entries: number): number {
  let capacity = 2;
  while (capacity * 2 < entries * 3) capacity *= 2;
  return capacity;
}
