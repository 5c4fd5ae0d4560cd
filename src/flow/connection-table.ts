/**
 * Every connection the packet path knows, allowed or denied, one entry each,
 * found from both directions. Memory is allocated once, by capacity, and
 * shared: other workers read it.
 *
 * Always holds: a key is in at most one slot; a used slot is in exactly one
 * hash chain and in its class's idle list; each idle list runs from the
 * connection used last to the one idle longest. Of established connections
 * (FIRST_KEPT and up) none makes room before it has been idle for KEPT_MS, and
 * none at all while there is a lesser one. The caller's clock never goes back.
 */
import type { PacketView } from "../packet/view.ts";
import { CONNECTION_CLASSES, ConnectionClass, connectionLimits, FIRST_KEPT } from "./connection-class.ts";
import { CONNECTION_WORDS, connectionKeyLength, writeConnectionKey, writtenKeyLength } from "./connection-key.ts";
import { connectionArrays, NONE } from "./connection-memory.ts";
import { hashWords } from "./key-hash.ts";

/** The clock's unit, so that 32 bits last for years; connections used within one are equally old. */
const TICK_MS = 64;
/** A full table gives up an established connection that was idle this long. */
const KEPT_MS = 300_000;

export class ConnectionTable {
  readonly capacity: number;
  /** Per slot, the caller's: a State. 0 after insert, as are all of the caller's. */
  readonly state: Uint8Array;
  /** Per slot, the caller's: the epoch that decided. */
  readonly epoch: Uint32Array;
  /** Per slot, the caller's: what was decided. */
  readonly decision: Int32Array;
  /** Per slot, the caller's: interfaces of the original direction. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** Per slot, the caller's: flags of the original direction's first packet. */
  readonly origin: Uint8Array;
  /** Per slot: a ConnectionClass. */
  readonly class: Uint8Array;
  /** Per class: connections in the table. */
  readonly counts = new Uint32Array(CONNECTION_CLASSES);
  /** Per class: connections that made room for another one. */
  readonly evictions = new Float64Array(CONNECTION_CLASSES);
  /** Connections in the table. */
  size = 0;
  /** After lookup: 1 when the packet's source is the key's second end. */
  turned = 0;

  readonly #seed0: number;
  readonly #seed1: number;
  readonly #key = new Uint32Array(CONNECTION_WORDS);
  #keyLength = 0;
  #hash = 0;
  readonly #keys: Uint32Array;
  readonly #hashes: Int32Array;
  readonly #ticks: Uint32Array;
  readonly #orientation: Uint8Array;
  readonly #heads: Int32Array;
  readonly #chain: Int32Array;
  readonly #bucketMask: number;
  #free = 0;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;

  /** `memory` as allocateConnections made it, owned by this table alone. */
  constructor(memory: SharedArrayBuffer) {
    const arrays = connectionArrays(memory);
    this.capacity = arrays.capacity;
    this.state = arrays.state;
    this.epoch = arrays.epoch;
    this.decision = arrays.decision;
    this.from = arrays.from;
    this.to = arrays.to;
    this.origin = arrays.origin;
    this.class = arrays.class;
    this.#seed0 = arrays.seed[0];
    this.#seed1 = arrays.seed[1];
    this.#keys = arrays.keys;
    this.#hashes = arrays.hashes;
    this.#ticks = arrays.ticks;
    this.#orientation = arrays.orientation;
    this.#heads = arrays.heads;
    this.#chain = arrays.chain;
    this.#bucketMask = arrays.heads.length - 1;
    this.#newer = arrays.newer;
    this.#older = arrays.older;
  }

  /**
   * The slot of the view's connection, or -1; sets `turned`. Its age is not looked at: what is past its limit is
   * there until `expire` or `insert` takes it.
   */
  lookup(view: PacketView, domain: number): number {
    const key = this.#key;
    this.turned = writeConnectionKey(key, view, domain);
    const length = connectionKeyLength(view);
    this.#keyLength = length;
    return this.#find(key, length);
  }

  #find(key: Uint32Array, length: number): number {
    const hash = hashWords(key, length, this.#seed0, this.#seed1);
    this.#hash = hash;
    const keys = this.#keys;
    let slot = this.#heads[hash & this.#bucketMask];
    while (slot !== NONE) {
      if (this.#hashes[slot] === hash) {
        const at = slot * CONNECTION_WORDS;
        let i = 0;
        while (i < length && keys[at + i] === key[i]) i++;
        if (i === length) return slot;
      }
      slot = this.#chain[slot];
    }
    return NONE;
  }

  /** Right after a lookup that found `slot`: 1 when the packet goes against the connection's original direction. */
  isReply(slot: number): number {
    return this.turned ^ this.#orientation[slot];
  }

  /** Right after the packet's lookup: from now on it goes in the original direction (`reply` 0), or against it (1). */
  orient(slot: number, reply: number): void {
    this.#orientation[slot] = this.turned ^ reply;
  }

  /**
   * Right after a lookup that found nothing: a slot for that packet's connection, with its direction as the original
   * one; -1 when nothing may make room for it. For what is denied nothing better does.
   */
  insert(connectionClass: number, now: number): number {
    if (this.#free === NONE && !this.#makeRoom(connectionClass, now)) return NONE;
    const slot = this.#free;
    this.#free = this.#chain[slot];
    const bucket = this.#hash & this.#bucketMask;
    this.#chain[slot] = this.#heads[bucket];
    this.#heads[bucket] = slot;
    this.#hashes[slot] = this.#hash;
    const at = slot * CONNECTION_WORDS;
    for (let i = 0; i < this.#keyLength; i++) this.#keys[at + i] = this.#key[i];
    this.#orientation[slot] = this.turned;
    this.state[slot] = 0;
    this.epoch[slot] = 0;
    this.decision[slot] = 0;
    this.from[slot] = 0;
    this.to[slot] = 0;
    this.origin[slot] = 0;
    this.#ticks[slot] = tick(now);
    this.class[slot] = connectionClass;
    this.#link(slot);
    this.size++;
    return slot;
  }

  /**
   * A slot for a connection that another table has known by the key at keys[at]; -1 when this one knows it, too, or is
   * full. `orientation` as `turned`: which end of the key is the original direction's source.
   */
  adopt(keys: Uint32Array, at: number, orientation: number, connectionClass: number, now: number): number {
    if (this.#free === NONE) return NONE;
    const key = this.#key;
    for (let i = 0; i < CONNECTION_WORDS; i++) key[i] = keys[at + i];
    this.#keyLength = writtenKeyLength(key);
    if (this.#find(key, this.#keyLength) !== NONE) return NONE;
    this.turned = orientation;
    return this.insert(connectionClass, now);
  }

  /** The connection in `slot` was seen at `now` and is of this class. */
  use(slot: number, connectionClass: number, now: number): void {
    const ticks = tick(now);
    if (this.class[slot] === connectionClass && this.#ticks[slot] === ticks) return;
    this.#unlink(slot);
    this.#ticks[slot] = ticks;
    this.class[slot] = connectionClass;
    this.#link(slot);
  }

  /** Removes up to `budget` connections that have been idle longer than their class's limit; returns how many. */
  expire(now: number, budget: number): number {
    let removed = 0;
    for (let each = 0; each < CONNECTION_CLASSES; each++) {
      const anchor = this.capacity + each;
      const horizon = now - connectionLimits[each];
      while (removed < budget) {
        const slot = this.#newer[anchor];
        if (slot === anchor || this.#ticks[slot] * TICK_MS >= horizon) break;
        this.#remove(slot);
        removed++;
      }
    }
    return removed;
  }

  #makeRoom(forClass: number, now: number): boolean {
    const last = forClass <= ConnectionClass.CUT ? forClass : CONNECTION_CLASSES - 1;
    for (let each = 0; each <= last; each++) {
      const slot = this.#newer[this.capacity + each];
      if (slot >= this.capacity) continue;
      if (each >= FIRST_KEPT && now - this.#ticks[slot] * TICK_MS < KEPT_MS) continue;
      this.evictions[each] += 1;
      this.#remove(slot);
      return true;
    }
    return false;
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

  /** To the new end of its list. The anchor's `older` is the newest connection, its `newer` the one idle longest. */
  #link(slot: number): void {
    const anchor = this.capacity + this.class[slot];
    const newest = this.#older[anchor];
    this.#newer[slot] = anchor;
    this.#older[slot] = newest;
    this.#newer[newest] = slot;
    this.#older[anchor] = slot;
    this.counts[this.class[slot]] += 1;
  }

  #unlink(slot: number): void {
    const newer = this.#newer[slot];
    const older = this.#older[slot];
    this.#older[newer] = older;
    this.#newer[older] = newer;
    this.counts[this.class[slot]] -= 1;
  }
}

function tick(now: number): number {
  return Math.floor(now / TICK_MS);
}
