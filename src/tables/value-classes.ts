/**
 * Ports and ICMP type/code: every 16-bit value is mapped to a class, a class
 * is the set of predicates the value satisfies. Ranges and negations vanish
 * here, at compile time. Index 65536 stands for "the packet has no such field".
 */
import { ListInterner } from "./list-interner.ts";
import { sharedUint16, type PackedLists } from "./shared-arrays.ts";

export const NO_VALUE = 65536;

export interface ValueClasses {
  /** 65537 entries. */
  readonly classOf: Uint16Array;
  /** Class to predicates, ascending; predicate 0 ("any") is implied and not listed. */
  readonly predicates: PackedLists;
}

export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

/** A value satisfies it when it is in `include` (or that is undefined) and not in `exclude`. */
export interface ValuePredicate {
  readonly include: readonly ValueRange[] | undefined;
  readonly exclude: readonly ValueRange[];
  /** Whether a packet without the field satisfies it. */
  readonly whenAbsent: boolean;
}

/** Collects distinct predicates; id 0 is "any". */
export class ValuePredicates {
  readonly #ids = new Map<string, number>();
  /** Those of one range and nothing else, by its ends: most. */
  readonly #ranges = new Map<number, number>();
  readonly #predicates: ValuePredicate[] = [{ include: undefined, exclude: [], whenAbsent: true }];

  #built: ValueClasses | undefined;
  #builtOf = 0;

  add(predicate: ValuePredicate): number {
    const { include, exclude, whenAbsent } = predicate;
    if (include === undefined && exclude.length === 0 && whenAbsent) return 0;
    if (include !== undefined && exclude.length === 0 && !whenAbsent) {
      const merged = include.length === 1 ? include : merge(include);
      if (merged.length === 1) return this.range(merged[0]);
    }
    const key = `${rangesKey(include)}!${rangesKey(exclude)}!${whenAbsent}`;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#predicates.length;
      this.#predicates.push(predicate);
      this.#ids.set(key, id);
    }
    return id;
  }

  /** The predicate of the values in one range. */
  range(range: ValueRange): number {
    const key = range.min * 65536 + range.max;
    let id = this.#ranges.get(key);
    if (id === undefined) {
      id = this.#predicates.length;
      this.#predicates.push({ include: [range], exclude: [], whenAbsent: false });
      this.#ranges.set(key, id);
    }
    return id;
  }

  /** The same classes as before when there is no new predicate. */
  build(): ValueClasses {
    if (this.#built === undefined || this.#builtOf !== this.#predicates.length) this.#built = this.#build();
    this.#builtOf = this.#predicates.length;
    return this.#built;
  }

  #build(): ValueClasses {
    const starts = new Map<number, number[]>();
    const ends = new Map<number, number[]>();
    const at = (map: Map<number, number[]>, value: number): number[] => {
      let list = map.get(value);
      if (list === undefined) map.set(value, (list = []));
      return list;
    };
    for (let id = 1; id < this.#predicates.length; id++) {
      for (const range of satisfying(this.#predicates[id])) {
        at(starts, range.min).push(id);
        at(ends, range.max + 1).push(id);
      }
    }
    const boundaries = [...new Set([0, ...starts.keys(), ...ends.keys()])].filter((v) => v < NO_VALUE);
    boundaries.sort((a, b) => a - b);

    const interner = new ListInterner();
    interner.intern(this.#absent());
    const classOf = sharedUint16(NO_VALUE + 1);
    const active = new Set<number>();
    for (let i = 0; i < boundaries.length; i++) {
      const from = boundaries[i];
      for (const id of ends.get(from) ?? []) active.delete(id);
      for (const id of starts.get(from) ?? []) active.add(id);
      const list = [...active].toSorted((a, b) => a - b);
      classOf.fill(interner.intern(list), from, boundaries[i + 1] ?? NO_VALUE);
    }
    classOf[NO_VALUE] = 0;

    return { classOf, predicates: interner.pack() };
  }

  #absent(): number[] {
    const list: number[] = [];
    for (let id = 1; id < this.#predicates.length; id++) if (this.#predicates[id].whenAbsent) list.push(id);
    return list;
  }
}

/** The predicate's values as disjoint ascending ranges. */
function satisfying(predicate: ValuePredicate): ValueRange[] {
  const excluded = merge(predicate.exclude);
  const result: ValueRange[] = [];
  for (const range of merge(predicate.include ?? [{ min: 0, max: NO_VALUE - 1 }])) {
    let from = range.min;
    for (const hole of excluded) {
      if (hole.max < from) continue;
      if (hole.min > range.max) break;
      if (hole.min > from) result.push({ min: from, max: hole.min - 1 });
      from = hole.max + 1;
    }
    if (from <= range.max) result.push({ min: from, max: range.max });
  }
  return result;
}

function merge(ranges: readonly ValueRange[]): ValueRange[] {
  const sorted = ranges.toSorted((a, b) => a.min - b.min);
  const merged: { min: number; max: number }[] = [];
  for (const range of sorted) {
    const last = merged[merged.length - 1];
    if (last !== undefined && range.min <= last.max + 1) last.max = Math.max(last.max, range.max);
    else merged.push({ ...range });
  }
  return merged;
}

function rangesKey(ranges: readonly ValueRange[] | undefined): string {
  return ranges === undefined ? "*" : merge(ranges).map((r) => `${r.min}-${r.max}`).join(",");
}
