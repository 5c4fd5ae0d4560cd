/**
 * The items of a program whose addresses fit a packet, in order: found once per
 * (source list, destination list), see side-lists.ts, kept in a bounded pool,
 * and remembered by the classes of the two addresses as well. Items of pairs
 * that have many of them, which differ in ports and protocol only, are one
 * entry.
 *
 * A list at `offset`: pool[offset] = n, then n times item and form, or first
 * item and LONG | offset of the pair's list in the program's block.
 */
import { RuleAction, type CompiledTables, type ProgramTable } from "./compiled.ts";
import { classHas, FORM_WORDS } from "./match-forms.ts";
import { hashPair, Head, ITEM_WORDS, LIST_HEAD_WORDS, PAIR_WORDS, SHORT_LIST, signatureBit } from "./program-block.ts";
import { SIDE_ENTRY_WORDS, SideLists } from "./side-lists.ts";
import { sortRecords } from "./word-pool.ts";

export const LONG = 0x80000000;
const ENTRY_WORDS = 2;
const SLOT_WORDS = 4;
const MINIMUM_SLOTS = 1 << 8;
const MAXIMUM_SLOTS = 1 << 16;
/** By classes: more, because many classes have one list. */
const CLASS_SLOTS_A_SLOT = 2;
const BOTH_FAMILIES = 3;
const NOTHING = new Uint32Array(0);

export class CandidateLists {
  pool = NOTHING;
  /** Counts the times the pool was emptied: offsets of an earlier epoch mean nothing. */
  epoch = 0;
  #tables: CompiledTables;
  readonly #sides = new SideLists();
  #sidesEpoch = 0;
  /** Source list, destination list, offset (0: free). Two places for each key. */
  #slots = NOTHING;
  #mask = 0;
  /** Program + 1, class of the source, of the destination, offset. Two places for each key. */
  #byClasses = NOTHING;
  #classMask = 0;
  #used = 1;

  constructor(tables: CompiledTables) {
    this.#tables = tables;
    this.use(tables);
  }

  /** Forgets all, and finds the items of these tables from now on; in the memory it has, if that is enough. */
  use(tables: CompiledTables): void {
    const { programs } = tables;
    const classes = tables.addresses.predicates.start.length;
    this.#tables = tables;
    this.#sides.use(programs, classes);
    this.#sidesEpoch = this.#sides.epoch;
    let slots = MINIMUM_SLOTS;
    while (slots < MAXIMUM_SLOTS && slots < programs.page.length * classes * 4) slots *= 2;
    if (slots * SLOT_WORDS > this.#slots.length) {
      this.#slots = new Uint32Array(slots * SLOT_WORDS);
      this.#byClasses = new Uint32Array(slots * CLASS_SLOTS_A_SLOT * SLOT_WORDS);
      this.#mask = slots - 1;
      this.#classMask = slots * CLASS_SLOTS_A_SLOT - 1;
    }
    const words = Math.max(slots * 32, 2 + ENTRY_WORDS * programs.longest);
    if (words > this.pool.length) this.pool = new Uint32Array(words);
    this.#clear();
  }

  /** Offset of the list in `pool`, for the address classes of a packet. */
  list(program: number, source: number, destination: number): number {
    const slots = this.#byClasses;
    let hash = Math.imul(program + 1, 0x9e3779b1) ^ Math.imul(source + 1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(destination + 1, 0xc2b2ae35);
    hash ^= hash >>> 15;
    const at = (hash & this.#classMask) * SLOT_WORDS;
    if (slots[at] === program + 1 && slots[at + 1] === source && slots[at + 2] === destination) return slots[at + 3];
    const other = ((hash ^ 1) & this.#classMask) * SLOT_WORDS;
    if (slots[other] === program + 1 && slots[other + 1] === source && slots[other + 2] === destination) {
      return slots[other + 3];
    }
    const offset = this.#byLists(program, source, destination);
    const to = slots[at] !== 0 && slots[other] === 0 ? other : at;
    slots[to] = program + 1;
    slots[to + 1] = source;
    slots[to + 2] = destination;
    slots[to + 3] = offset;
    return offset;
  }

  #byLists(program: number, source: number, destination: number): number {
    const { programs, addresses } = this.#tables;
    const sides = this.#sides;
    const sources = sides.list(programs, program, 0, source, addresses.predicates);
    const destinations = sides.list(programs, program, 1, destination, addresses.predicates);
    if (sides.epoch !== this.#sidesEpoch) {
      this.#clear();
      this.#sidesEpoch = sides.epoch;
      // The first of the two may be of the epoch before; now there is room for both.
      return this.#byLists(program, source, destination);
    }
    const slots = this.#slots;
    let hash = Math.imul(sources, 0x9e3779b1) ^ Math.imul(destinations, 0x85ebca6b);
    hash ^= hash >>> 15;
    const at = (hash & this.#mask) * SLOT_WORDS;
    if (slots[at] === sources && slots[at + 1] === destinations) return slots[at + 2];
    const other = ((hash ^ 1) & this.#mask) * SLOT_WORDS;
    if (slots[other] === sources && slots[other + 1] === destinations) return slots[other + 2];
    const offset = this.#find(programs, program, sources, destinations, source, destination);
    const to = slots[at] !== 0 && slots[other] === 0 ? other : at;
    slots[to] = sources;
    slots[to + 1] = destinations;
    slots[to + 2] = offset;
    return offset;
  }

  #find(
    programs: ProgramTable,
    program: number,
    sources: number,
    destinations: number,
    source: number,
    destination: number,
  ): number {
    const block = programs.pages[programs.page[program]];
    const base = programs.offset[program];
    const lists = this.#sides.pool;
    const sourceCount = lists[sources];
    const destinationCount = lists[destinations];
    if (this.#used + 1 + ENTRY_WORDS * block[base + Head.ITEM_COUNT] > this.pool.length) this.#clear();
    const offset = this.#used;
    let end = offset + 1;
    const pairs = base + block[base + Head.PAIRS];
    const mask = block[base + Head.PAIR_MASK];
    if (sourceCount * destinationCount <= block[base + Head.PAIR_COUNT] * 2) {
      const destinationsEnd = destinations + 1 + destinationCount * SIDE_ENTRY_WORDS;
      for (let n = 0, s = sources + 1; n < sourceCount; n++, s += SIDE_ENTRY_WORDS) {
        const predicate = lists[s];
        const signature = lists[s + 2];
        const bit = signatureBit(predicate);
        for (let d = destinations + 1; d < destinationsEnd; d += SIDE_ENTRY_WORDS) {
          if ((lists[d + 2] & bit) === 0 || (signature & signatureBit(lists[d])) === 0) continue;
          const pair = findPair(block, pairs, mask, predicate, lists[d]);
          if (pair >= 0) end = this.#append(block, base, pair, end);
        }
      }
    } else {
      const { predicates } = this.#tables.addresses;
      for (let pair = pairs; pair <= pairs + mask * PAIR_WORDS; pair += PAIR_WORDS) {
        if (block[pair] === 0) continue;
        const wanted = block[pair] - 1;
        if (wanted !== 0 && !classHas(predicates, source, wanted)) continue;
        if (block[pair + 1] !== 0 && !classHas(predicates, destination, block[pair + 1])) continue;
        end = this.#append(block, base, pair, end);
      }
    }
    const count = (end - offset - 1) / ENTRY_WORDS;
    sortRecords(this.pool, offset + 1, count, ENTRY_WORDS, 0);
    this.pool[offset] = this.#reachable(block, base, offset, count);
    this.#used = offset + 1 + this.pool[offset] * ENTRY_WORDS;
    return offset;
  }

  #append(block: Uint32Array, base: number, pair: number, end: number): number {
    const { pool } = this;
    const { rules } = this.#tables;
    const list = block[pair + 3];
    if (list === 0) {
      const item = block[pair + 2];
      pool[end] = item;
      pool[end + 1] = rules.form[block[base + block[base + Head.ITEMS] + item * ITEM_WORDS]];
      return end + ENTRY_WORDS;
    }
    const count = block[base + list];
    if (count > SHORT_LIST) {
      pool[end] = block[pair + 2];
      pool[end + 1] = (LONG | list) >>> 0;
      return end + ENTRY_WORDS;
    }
    let to = end;
    for (let at = base + list + LIST_HEAD_WORDS, n = 0; n < count; n++, at += 2, to += ENTRY_WORDS) {
      pool[to] = block[at];
      pool[to + 1] = block[at + 1];
    }
    return to;
  }

  /** How many entries there are up to one that decides every packet; behind a Jump, which may go past it, all. */
  #reachable(block: Uint32Array, base: number, offset: number, count: number): number {
    const { pool } = this;
    const { forms, rules } = this.#tables;
    const items = base + block[base + Head.ITEMS];
    for (let n = 0, at = offset + 1; n < count; n++, at += ENTRY_WORDS) {
      const value = pool[at + 1];
      if (value >= LONG) return count;
      const action = rules.action[block[items + pool[at] * ITEM_WORDS]];
      if (action === RuleAction.JUMP || action === RuleAction.LOG) return count;
      const form = value * FORM_WORDS;
      if (forms[form] === BOTH_FAMILIES && forms[form + 1] === 0 && forms[form + 2] === 0 && forms[form + 3] === 0) return n + 1;
    }
    return count;
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#byClasses.fill(0);
    this.#used = 1;
    this.epoch++;
  }
}

/** Offset of the pair's slot in the block, -1 if there is none. */
function findPair(block: Uint32Array, pairs: number, mask: number, source: number, destination: number): number {
  let slot = hashPair(source, destination) & mask;
  for (;;) {
    const at = pairs + slot * PAIR_WORDS;
    const found = block[at];
    if (found === 0) return -1;
    if (found === source + 1 && block[at + 1] === destination) return at;
    slot = (slot + 1) & mask;
  }
}
