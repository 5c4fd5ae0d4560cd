/**
 * The flows the packet path has decided, so that a flow's next packet costs a
 * lookup and not a decision. Bounded by capacity: when it is full the flow that
 * was idle longest makes room.
 *
 * All of it is in arrays whose memory the kernel gives as it is written to: a
 * flow that was never there takes none. A cell has key, idle links and the
 * caller's fields side by side, because a packet needs them together. An IPv6
 * flow has a second cell, for what its key is longer. A slot is the number of a
 * flow's first cell. Cells 0 to IDLE_CLASSES - 1 are the anchors of the idle
 * lists; no flow is in 0, and a link of 0 ends a chain. The links of hash chains
 * are apart from the cells and carry bits of the hash of the flow they lead to,
 * so that whoever looks for another one seldom looks at its cell.
 *
 * Always holds: a key is in at most one slot; a used slot is in exactly one
 * hash chain and one idle list; each idle list is circular and runs from the
 * flow used last to the one idle longest. The caller's clock never goes back.
 */
import { randomFillSync } from "node:crypto";
import type { PacketView } from "../packet/view.ts";
import { familyOfKey, FLOW_WORDS, IPV4_FLOW_WORDS, protocolOfKey, writeFlowKey } from "./flow-key.ts";
import { hashWords } from "./key-hash.ts";
import { IDLE_CLASSES, idleClass, idleLimits } from "./timeouts.ts";

const NONE = -1;
const MAX_CAPACITY = 1 << 24;

// Words of a cell. It begins with the key of IPv4; of IPv6, EXTENSION is the cell with the rest of the key.
const EXTENSION = IPV4_FLOW_WORDS - 1;
const EXTENSION_WORDS = FLOW_WORDS - EXTENSION;
const GENERATION = 5;
const DECISION = 6;
/** Milliseconds of the caller's clock, modulo 2^32. */
const SEEN = 7;
const NEWER = 8;
const OLDER = 9;
const CELL_WORDS = 10;

// A link: a cell's number, which 26 bits hold for the largest table, below the first bits of its flow's hash.
const HASH_BITS = ~0 << 26;
const CELL_BITS = ~HASH_BITS;

export class FlowTable {
  readonly capacity: number;
  /** Flows in the table. */
  size = 0;
  /** Flows that made room for another since the table was made. */
  evictions = 0;

  readonly #seed = randomFillSync(new Uint32Array(2));
  /** The key in hand, and that of a flow that goes. */
  readonly #key = new Uint32Array(FLOW_WORDS);
  readonly #leaving = new Uint32Array(FLOW_WORDS);
  readonly #cells: Uint32Array;
  /** The link to the first flow of each hash chain. */
  readonly #heads: Int32Array;
  /** By cell, the link to the next one of its chain; of a free cell, the number of the next free one. */
  readonly #links: Int32Array;
  readonly #bucketMask: number;
  /** First of the cells that were in use once, 0 for none. */
  #free = 0;
  /** First of the cells that were never in use. */
  #fresh = IDLE_CLASSES;

  /** Room for `capacity` flows, 1 to 2^24, of IPv4 48 bytes each and of IPv6 92. Throws RangeError. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw new RangeError(`flow table capacity must be an integer from 1 to ${MAX_CAPACITY}, not ${capacity}`);
    }
    this.capacity = capacity;
    const cells = IDLE_CLASSES + 2 * capacity;
    this.#cells = new Uint32Array(cells * CELL_WORDS);
    this.#links = new Int32Array(cells);
    const buckets = 2 ** Math.ceil(Math.log2(capacity));
    this.#heads = new Int32Array(buckets);
    this.#bucketMask = buckets - 1;
    for (let anchor = 0; anchor < IDLE_CLASSES; anchor++) {
      this.#cells[anchor * CELL_WORDS + NEWER] = anchor;
      this.#cells[anchor * CELL_WORDS + OLDER] = anchor;
    }
  }

  /**
   * The slot of the view's flow, or -1. `scope` (unsigned 32-bit) is where it was seen, hook and interface say.
   * The flow's age is not looked at: what is past its limit is there until expire or insert takes it.
   */
  find(view: PacketView, scope: number): number {
    const length = writeFlowKey(this.#key, view, scope);
    return this.#lookup(hashWords(this.#key, length, this.#seed[0], this.#seed[1]), length);
  }

  /**
   * The slot of the view's flow, made if it is not there, seen `now`. A new slot has generation and decision 0. When
   * the table is full it takes the place of the flow idle longest, of any protocol.
   */
  insert(view: PacketView, scope: number, now: number): number {
    const key = this.#key;
    const length = writeFlowKey(key, view, scope);
    const hash = hashWords(key, length, this.#seed[0], this.#seed[1]);
    const present = this.#lookup(hash, length);
    if (present !== NONE) {
      this.touch(present, now);
      return present;
    }
    if (this.size === this.capacity) {
      this.#remove(this.#idleLongest());
      this.evictions++;
    }
    const cells = this.#cells;
    const slot = this.#take();
    const at = slot * CELL_WORDS;
    for (let i = 0; i < IPV4_FLOW_WORDS; i++) cells[at + i] = key[i];
    if (length !== IPV4_FLOW_WORDS) {
      const extension = this.#take();
      const rest = extension * CELL_WORDS;
      for (let i = 0; i < EXTENSION_WORDS; i++) cells[rest + i] = key[EXTENSION + i];
      cells[at + EXTENSION] = extension;
    }
    const bucket = hash & this.#bucketMask;
    this.#links[slot] = this.#heads[bucket];
    this.#heads[bucket] = (hash & HASH_BITS) | slot;
    cells[at + GENERATION] = 0;
    cells[at + DECISION] = 0;
    cells[at + SEEN] = now | 0;
    this.#link(slot, idleClass(view.protocol));
    this.size++;
    return slot;
  }

  /** The flow in `slot` was seen at `now`, milliseconds. */
  touch(slot: number, now: number): void {
    const cells = this.#cells;
    const at = slot * CELL_WORDS;
    cells[at + SEEN] = now | 0;
    const anchor = idleClass(protocolOfKey(cells, at));
    if (cells[anchor * CELL_WORDS + OLDER] === slot) return;
    this.#unlink(slot);
    this.#link(slot, anchor);
  }

  /** The caller's: which generation of policy decided the flow (unsigned 32-bit), and what (signed 32-bit). */
  decide(slot: number, generation: number, decision: number): void {
    this.#cells[slot * CELL_WORDS + GENERATION] = generation;
    this.#cells[slot * CELL_WORDS + DECISION] = decision;
  }

  /** As `decide` had it; 0 after insert. */
  generationOf(slot: number): number {
    return this.#cells[slot * CELL_WORDS + GENERATION];
  }

  /** As `decide` had it; 0 after insert. */
  decisionOf(slot: number): number {
    return this.#cells[slot * CELL_WORDS + DECISION] | 0;
  }

  /** Whole milliseconds of the caller's clock, modulo 2^32. */
  lastSeen(slot: number): number {
    return this.#cells[slot * CELL_WORDS + SEEN];
  }

  /**
   * Removes up to `budget` flows that have been idle longer than their protocol's limit; returns how many. To be
   * called at least every few days, in which a flow's age, kept in 32 bits, cannot come round.
   */
  expire(now: number, budget: number): number {
    const cells = this.#cells;
    let removed = 0;
    for (let anchor = 0; anchor < IDLE_CLASSES; anchor++) {
      while (removed < budget) {
        const slot = cells[anchor * CELL_WORDS + NEWER];
        const age = ((now | 0) - cells[slot * CELL_WORDS + SEEN]) | 0;
        if (slot === anchor || age <= idleLimits[anchor]) break;
        this.#remove(slot);
        removed++;
      }
    }
    return removed;
  }

  #lookup(hash: number, length: number): number {
    const links = this.#links;
    let link = this.#heads[hash & this.#bucketMask];
    while (link !== 0) {
      const slot = link & CELL_BITS;
      if (((link ^ hash) & HASH_BITS) === 0 && this.#hasKey(slot, length)) return slot;
      link = links[slot];
    }
    return NONE;
  }

  /** Whether the flow in `slot` has the key in hand, of `length` words. */
  #hasKey(slot: number, length: number): boolean {
    const key = this.#key;
    const cells = this.#cells;
    const at = slot * CELL_WORDS;
    for (let i = 0; i < EXTENSION; i++) if (cells[at + i] !== key[i]) return false;
    const last = cells[at + EXTENSION];
    if (length === IPV4_FLOW_WORDS) return last === key[EXTENSION];
    const rest = last * CELL_WORDS;
    for (let i = 0; i < EXTENSION_WORDS; i++) if (cells[rest + i] !== key[EXTENSION + i]) return false;
    return true;
  }

  /** The oldest of the lists' old ends; of equals the first class's. The table is not empty. */
  #idleLongest(): number {
    const cells = this.#cells;
    let longest = 0;
    for (let anchor = 0; anchor < IDLE_CLASSES; anchor++) {
      const slot = cells[anchor * CELL_WORDS + NEWER];
      if (slot === anchor) continue;
      if (longest === 0 || ((cells[slot * CELL_WORDS + SEEN] - cells[longest * CELL_WORDS + SEEN]) | 0) < 0) {
        longest = slot;
      }
    }
    return longest;
  }

  #remove(slot: number): void {
    const links = this.#links;
    const extension = this.#readKey(slot);
    const length = extension === 0 ? IPV4_FLOW_WORDS : FLOW_WORDS;
    const bucket = hashWords(this.#leaving, length, this.#seed[0], this.#seed[1]) & this.#bucketMask;
    let before = this.#heads[bucket] & CELL_BITS;
    if (before === slot) {
      this.#heads[bucket] = links[slot];
    } else {
      while ((links[before] & CELL_BITS) !== slot) before = links[before] & CELL_BITS;
      links[before] = links[slot];
    }
    this.#unlink(slot);
    this.#give(slot);
    if (extension !== 0) this.#give(extension);
    this.size--;
  }

  /** The slot's key to the leaving one; returns its second cell, 0 for none. */
  #readKey(slot: number): number {
    const cells = this.#cells;
    const key = this.#leaving;
    const at = slot * CELL_WORDS;
    for (let i = 0; i < IPV4_FLOW_WORDS; i++) key[i] = cells[at + i];
    if (familyOfKey(cells, at) === 4) return 0;
    const extension = cells[at + EXTENSION];
    const rest = extension * CELL_WORDS;
    for (let i = 0; i < EXTENSION_WORDS; i++) key[EXTENSION + i] = cells[rest + i];
    return extension;
  }

  /** A free cell; there are as many as `capacity` flows can need. */
  #take(): number {
    const cell = this.#free;
    if (cell === 0) return this.#fresh++;
    this.#free = this.#links[cell];
    return cell;
  }

  #give(cell: number): void {
    this.#links[cell] = this.#free;
    this.#free = cell;
  }

  /** To the new end of its list. The anchor's `older` is the newest flow, its `newer` the one idle longest. */
  #link(slot: number, anchor: number): void {
    const cells = this.#cells;
    const newest = cells[anchor * CELL_WORDS + OLDER];
    cells[slot * CELL_WORDS + NEWER] = anchor;
    cells[slot * CELL_WORDS + OLDER] = newest;
    cells[newest * CELL_WORDS + NEWER] = slot;
    cells[anchor * CELL_WORDS + OLDER] = slot;
  }

  #unlink(slot: number): void {
    const cells = this.#cells;
    const newer = cells[slot * CELL_WORDS + NEWER];
    const older = cells[slot * CELL_WORDS + OLDER];
    cells[newer * CELL_WORDS + OLDER] = older;
    cells[older * CELL_WORDS + NEWER] = newer;
  }
}
