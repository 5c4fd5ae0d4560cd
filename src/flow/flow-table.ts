/**
 * The flows the packet path has decided, so that a flow's next packet costs a
 * lookup and not a decision. Memory is allocated once, by capacity; when it is
 * full the flow that was idle longest makes room.
 *
 * Always holds: a key is in at most one slot; a used slot is in exactly one
 * hash chain and one idle list; each idle list runs from the flow used last to
 * the one idle longest. The caller's clock never goes back.
 */
import { randomFillSync } from "node:crypto";
import type { PacketView } from "../packet/view.ts";
import { KEY_WORDS, writeFlowKey } from "./flow-key.ts";
import { hashWords } from "./key-hash.ts";
import { IDLE_CLASSES, idleClass, idleLimits } from "./timeouts.ts";

const NONE = -1;
const MAX_CAPACITY = 1 << 24;

export class FlowTable {
  readonly capacity: number;
  /** Per slot, the caller's: policy generation that decided. 0 after insert. */
  readonly generation: Uint32Array;
  /** Per slot, the caller's: what was decided. 0 after insert. */
  readonly decision: Int32Array;
  /** Per slot, the caller's: packets seen. 0 after insert. */
  readonly packets: Uint32Array;
  /** Per slot, milliseconds of the caller's clock; written by insert and touch only. */
  readonly lastSeen: Float64Array;
  /** Flows in the table. */
  size = 0;
  /** Flows that made room for another since the table was made. */
  evictions = 0;

  readonly #seed = randomFillSync(new Uint32Array(2));
  readonly #key = new Uint32Array(KEY_WORDS);
  readonly #keys: Uint32Array;
  readonly #hashes: Int32Array;
  /** First slot of each hash chain, and the next slot in a chain or in the free list. */
  readonly #heads: Int32Array;
  readonly #chain: Int32Array;
  readonly #bucketMask: number;
  #free = 0;
  /** Idle lists, circular: entry capacity + c is the anchor of class c, newer and older its two ends. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  readonly #class: Uint8Array;

  /** Room for `capacity` flows, 1 to 2^24, about 95 bytes each. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw new RangeError(`flow table capacity must be an integer from 1 to ${MAX_CAPACITY}, not ${capacity}`);
    }
    this.capacity = capacity;
    this.generation = new Uint32Array(capacity);
    this.decision = new Int32Array(capacity);
    this.packets = new Uint32Array(capacity);
    this.lastSeen = new Float64Array(capacity);
    this.#keys = new Uint32Array(capacity * KEY_WORDS);
    this.#hashes = new Int32Array(capacity);
    const buckets = 2 ** Math.ceil(Math.log2(capacity));
    this.#heads = new Int32Array(buckets).fill(NONE);
    this.#bucketMask = buckets - 1;
    this.#chain = new Int32Array(capacity);
    for (let slot = 0; slot < capacity; slot++) this.#chain[slot] = slot + 1 < capacity ? slot + 1 : NONE;
    this.#newer = new Int32Array(capacity + IDLE_CLASSES);
    this.#older = new Int32Array(capacity + IDLE_CLASSES);
    this.#class = new Uint8Array(capacity);
    for (let anchor = capacity; anchor < capacity + IDLE_CLASSES; anchor++) {
      this.#newer[anchor] = anchor;
      this.#older[anchor] = anchor;
    }
  }

  /**
   * The slot of the view's flow, or -1. `scope` (unsigned 32-bit) is where it was seen, hook and interface say.
   * The flow's age is not looked at: what is past its limit is there until expire or insert takes it.
   */
  find(view: PacketView, scope: number): number {
    writeFlowKey(this.#key, view, scope);
    return this.#lookup(hashWords(this.#key, KEY_WORDS, this.#seed[0], this.#seed[1]));
  }

  /**
   * The slot of the view's flow, made if it is not there, seen `now`. A new slot has generation, decision and
   * packets 0. When the table is full it takes the place of the flow idle longest, of any protocol.
   */
  insert(view: PacketView, scope: number, now: number): number {
    writeFlowKey(this.#key, view, scope);
    const hash = hashWords(this.#key, KEY_WORDS, this.#seed[0], this.#seed[1]);
    const present = this.#lookup(hash);
    if (present !== NONE) {
      this.touch(present, now);
      return present;
    }
    if (this.#free === NONE) {
      this.#remove(this.#idleLongest());
      this.evictions++;
    }
    const slot = this.#free;
    this.#free = this.#chain[slot];
    const bucket = hash & this.#bucketMask;
    this.#chain[slot] = this.#heads[bucket];
    this.#heads[bucket] = slot;
    this.#hashes[slot] = hash;
    const at = slot * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) this.#keys[at + i] = this.#key[i];
    this.generation[slot] = 0;
    this.decision[slot] = 0;
    this.packets[slot] = 0;
    this.lastSeen[slot] = now;
    this.#class[slot] = idleClass(view.protocol);
    this.#link(slot);
    this.size++;
    return slot;
  }

  /** The flow in `slot` was seen at `now`. */
  touch(slot: number, now: number): void {
    this.lastSeen[slot] = now;
    this.#unlink(slot);
    this.#link(slot);
  }

  /** Removes up to `budget` flows that have been idle longer than their protocol's limit; returns how many. */
  expire(now: number, budget: number): number {
    let removed = 0;
    for (let idle = 0; idle < IDLE_CLASSES; idle++) {
      const anchor = this.capacity + idle;
      const horizon = now - idleLimits[idle];
      while (removed < budget) {
        const slot = this.#newer[anchor];
        if (slot === anchor || this.lastSeen[slot] >= horizon) break;
        this.#remove(slot);
        removed++;
      }
    }
    return removed;
  }

  #lookup(hash: number): number {
    const key = this.#key;
    const keys = this.#keys;
    let slot = this.#heads[hash & this.#bucketMask];
    while (slot !== NONE) {
      if (this.#hashes[slot] === hash) {
        const at = slot * KEY_WORDS;
        let i = 0;
        while (i < KEY_WORDS && keys[at + i] === key[i]) i++;
        if (i === KEY_WORDS) return slot;
      }
      slot = this.#chain[slot];
    }
    return NONE;
  }

  /** The oldest of the lists' old ends; of equals the first class's. The table is not empty. */
  #idleLongest(): number {
    let longest = NONE;
    for (let anchor = this.capacity; anchor < this.capacity + IDLE_CLASSES; anchor++) {
      const slot = this.#newer[anchor];
      if (slot === anchor) continue;
      if (longest === NONE || this.lastSeen[slot] < this.lastSeen[longest]) longest = slot;
    }
    return longest;
  }

  #remove(slot: number): void {
    const bucket = this.#hashes[slot] & this.#bucketMask;
    if (this.#heads[bucket] === slot) {
      this.#heads[bucket] = this.#chain[slot];
    } else {
      let before = this.#heads[bucket];
      while (this.#chain[before] !== slot) before = this.#chain[before];
      this.#chain[before] = this.#chain[slot];
    }
    this.#unlink(slot);
    this.#chain[slot] = this.#free;
    this.#free = slot;
    this.size--;
  }

  /** To the new end of its list. The anchor's `older` is the newest flow, its `newer` the one idle longest. */
  #link(slot: number): void {
    const anchor = this.capacity + this.#class[slot];
    const newest = this.#older[anchor];
    this.#newer[slot] = anchor;
    this.#older[slot] = newest;
    this.#newer[newest] = slot;
    this.#older[anchor] = slot;
  }

  #unlink(slot: number): void {
    const newer = this.#newer[slot];
    const older = this.#older[slot];
    this.#older[newer] = older;
    this.#newer[older] = newer;
  }
}
