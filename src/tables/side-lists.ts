/**
 * The predicates of an address class that a program asks about, in order of
 * the first item that asks. Found once per (program, side, class) and kept in
 * a bounded pool; equal lists of a program and side are one, so addresses that
 * look alike to a program have the same list. A full pool is emptied, which
 * costs time, not correctness.
 *
 * A list at `offset`: pool[offset] = n, then n times predicate, first item and
 * signature (program-block.ts); pool[offset - 1] says whose it is.
 */
import type { ProgramTable } from "./compiled.ts";
import { classHas } from "./match-forms.ts";
import { hashPredicate, Head, SIDE_WORDS } from "./program-block.ts";
import type { PackedLists } from "./shared-arrays.ts";
import { sortRecords } from "./word-pool.ts";

export const SIDE_ENTRY_WORDS = 3;
const SLOT_WORDS = 3;
const MINIMUM_SLOTS = 1 << 8;
const MAXIMUM_SLOTS = 1 << 16;
const NOTHING = new Uint32Array(0);

export class SideLists {
  pool = NOTHING;
  /** Counts the times the pool was emptied: offsets of an earlier epoch mean nothing. */
  epoch = 0;
  /** (program * 2 + side) + 1, class, offset. Two places for each key. */
  #slots = NOTHING;
  /** Offsets of lists by their content, 0: none. */
  #byContent = NOTHING;
  #mask = 0;
  #used = 1;

  /** Forgets all; to be called before anything is asked, and for other programs; in the memory it has, if that is enough. */
  use(programs: ProgramTable, classes: number): void {
    let slots = MINIMUM_SLOTS;
    while (slots < MAXIMUM_SLOTS && slots < programs.page.length * classes * 2) slots *= 2;
    if (slots > this.#byContent.length) {
      this.#slots = new Uint32Array(slots * SLOT_WORDS);
      this.#byContent = new Uint32Array(slots);
      this.#mask = slots - 1;
    }
    // A packet needs two lists at once.
    const words = Math.max(slots * 16, 2 * (2 + SIDE_ENTRY_WORDS * (programs.longest + 1))) + 1;
    if (words > this.pool.length) this.pool = new Uint32Array(words);
    this.#clear();
  }

  /** Offset of the list in `pool`; side 0 is the source. `classes` are the predicates of the address classes. */
  list(programs: ProgramTable, program: number, side: number, cls: number, classes: PackedLists): number {
    const slots = this.#slots;
    const owner = program * 2 + side + 1;
    let hash = Math.imul(owner, 0x9e3779b1) ^ Math.imul(cls + 1, 0x85ebca6b);
    hash ^= hash >>> 15;
    const at = (hash & this.#mask) * SLOT_WORDS;
    if (slots[at] === owner && slots[at + 1] === cls) return slots[at + 2];
    const other = ((hash ^ 1) & this.#mask) * SLOT_WORDS;
    if (slots[other] === owner && slots[other + 1] === cls) return slots[other + 2];
    const offset = this.#find(programs, program, side, cls, classes);
    const to = slots[at] !== 0 && slots[other] === 0 ? other : at;
    slots[to] = owner;
    slots[to + 1] = cls;
    slots[to + 2] = offset;
    return offset;
  }

  #find(programs: ProgramTable, program: number, side: number, cls: number, classes: PackedLists): number {
    const block = programs.pages[programs.page[program]];
    const base = programs.offset[program];
    const head = base + Head.SIDES + side * Head.SIDE_FIELDS;
    const table = base + block[head + Head.SIDE_SLOTS];
    const mask = block[head + Head.SIDE_MASK];
    const asked = block[head + Head.SIDE_COUNT];
    const from = classes.start[cls];
    const to = classes.start[cls + 1];
    if (this.#used + 2 + SIDE_ENTRY_WORDS * (Math.min(to - from, asked) + 1) > this.pool.length) this.#clear();
    const { pool } = this;
    pool[this.#used] = program * 2 + side;
    const offset = this.#used + 1;
    let end = offset + 1;
    if (to - from < asked) {
      end = this.#append(block, table, mask, 0, end);
      for (let i = from; i < to; i++) end = this.#append(block, table, mask, classes.values[i], end);
    } else {
      for (let slot = 0; slot <= mask; slot++) {
        const at = table + slot * SIDE_WORDS;
        const predicate = block[at] - 1;
        if (predicate < 0 || (predicate !== 0 && !classHas(classes, cls, predicate))) continue;
        pool[end] = predicate;
        pool[end + 1] = block[at + 1];
        pool[end + 2] = block[at + 2];
        end += SIDE_ENTRY_WORDS;
      }
    }
    const count = (end - offset - 1) / SIDE_ENTRY_WORDS;
    pool[offset] = count;
    sortRecords(pool, offset + 1, count, SIDE_ENTRY_WORDS, 1);
    return this.#intern(offset, end);
  }

  #append(block: Uint32Array, table: number, mask: number, predicate: number, end: number): number {
    let slot = hashPredicate(predicate) & mask;
    for (;;) {
      const at = table + slot * SIDE_WORDS;
      const found = block[at];
      if (found === 0) return end;
      if (found === predicate + 1) {
        const { pool } = this;
        pool[end] = predicate;
        pool[end + 1] = block[at + 1];
        pool[end + 2] = block[at + 2];
        return end + SIDE_ENTRY_WORDS;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Keeps the list that was written to the end of the pool, or gives the equal one from before. */
  #intern(offset: number, end: number): number {
    const { pool } = this;
    let hash = pool[offset - 1];
    for (let i = offset; i < end; i++) hash = Math.imul(hash ^ pool[i], 0x9e3779b1) ^ (hash >>> 15);
    const at = (hash ^ (hash >>> 13)) & this.#mask;
    const known = this.#byContent[at];
    if (known !== 0) {
      let i = -1;
      while (offset + i < end && pool[known + i] === pool[offset + i]) i++;
      if (offset + i === end) return known;
    }
    this.#byContent[at] = offset;
    this.#used = end;
    return offset;
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#byContent.fill(0);
    this.#used = 1;
    this.epoch++;
  }
}
