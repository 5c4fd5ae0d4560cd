/**
 * The predicates of a class that a program asks about, in order of the first
 * item that asks: found once per (program, side, class) and kept in one
 * bounded pool of 32-bit words. A full pool is emptied, which costs time, not
 * correctness.
 *
 * A list at `offset`: pool[offset] = n, then n pairs (predicate, first item).
 */
import type { ProgramTable } from "./compiled.ts";
import { findKey } from "./key-table.ts";
import type { PackedLists } from "./shared-arrays.ts";

const MINIMUM_POOL_WORDS = 1 << 18;
const SLOTS = 1 << 15;
/** Probe this far for a slot, then start over with an empty table. */
const MAX_PROBES = 16;

export class CandidateLists {
  readonly pool: Uint32Array;
  /** Three words a slot: program * 3 + side, class, offset + 1 (0: free). */
  readonly #slots = new Uint32Array(SLOTS * 3);
  #used = 0;

  constructor(programs: ProgramTable) {
    const { start } = programs.sidePredicates;
    let longest = 0;
    for (let i = 0; i + 1 < start.length; i++) longest = Math.max(longest, start[i + 1] - start[i]);
    // A packet needs three lists at once.
    this.pool = new Uint32Array(Math.max(MINIMUM_POOL_WORDS, 3 * (1 + 2 * (longest + 1))));
  }

  /** Offset of the list in `pool`; `classes` are the predicate lists of that side's classes. */
  list(programs: ProgramTable, programSide: number, cls: number, classes: PackedLists): number {
    const slots = this.#slots;
    let slot = (Math.imul(programSide + 1, 0x9e3779b1) ^ Math.imul(cls + 1, 0x85ebca6b)) >>> 17;
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const at = slot * 3;
      const offset = slots[at + 2];
      if (offset === 0) return this.#fill(at, programs, programSide, cls, classes);
      if (slots[at] === programSide && slots[at + 1] === cls) return offset - 1;
      slot = (slot + 1) & (SLOTS - 1);
    }
    this.#clear();
    return this.list(programs, programSide, cls, classes);
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#used = 0;
  }

  #fill(at: number, programs: ProgramTable, programSide: number, cls: number, classes: PackedLists): number {
    const from = classes.start[cls];
    const to = classes.start[cls + 1];
    const { start, values } = programs.sidePredicates;
    const sideFrom = start[programSide];
    const sideTo = start[programSide + 1];
    const longest = Math.min(to - from, sideTo - sideFrom) + 1;
    let slot = at;
    if (this.#used + 1 + longest * 2 > this.pool.length) {
      // The caller's slot is empty in a cleared table as well, and probing finds it again or a nearer one.
      this.#clear();
      slot = ((Math.imul(programSide + 1, 0x9e3779b1) ^ Math.imul(cls + 1, 0x85ebca6b)) >>> 17) * 3;
    }
    const { pool } = this;
    const offset = this.#used;
    let end = offset + 1;
    if (to - from < sideTo - sideFrom) {
      end = this.#append(programs, programSide, 0, end);
      for (let i = from; i < to; i++) end = this.#append(programs, programSide, classes.values[i], end);
      sortPairs(pool, offset + 1, end);
    } else {
      for (let i = sideFrom; i < sideTo; i++) {
        const predicate = values[i];
        if (predicate === 0 || contains(classes.values, from, to, predicate)) {
          end = this.#append(programs, programSide, predicate, end);
        }
      }
    }
    pool[offset] = (end - offset - 1) >>> 1;
    this.#used = end;
    this.#slots[slot] = programSide;
    this.#slots[slot + 1] = cls;
    this.#slots[slot + 2] = offset + 1;
    return offset;
  }

  #append(programs: ProgramTable, programSide: number, predicate: number, end: number): number {
    const first = findKey(programs.firstItem, programSide, predicate, 0);
    if (first < 0) return end;
    this.pool[end] = predicate;
    this.pool[end + 1] = first;
    return end + 2;
  }
}

/** By first item, ascending; lists are short, so insertion. */
function sortPairs(pool: Uint32Array, from: number, to: number): void {
  for (let i = from + 2; i < to; i += 2) {
    const predicate = pool[i];
    const first = pool[i + 1];
    let j = i - 2;
    while (j >= from && pool[j + 1] > first) {
      pool[j + 2] = pool[j];
      pool[j + 3] = pool[j + 1];
      j -= 2;
    }
    pool[j + 2] = predicate;
    pool[j + 3] = first;
  }
}

/** Binary search in ascending values[from .. to). */
function contains(values: Uint32Array, from: number, to: number, wanted: number): boolean {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low < to && values[low] === wanted;
}
