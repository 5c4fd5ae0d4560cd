/** Builds the search index over all programs (see compiled.ts). */
import type { ProgramTable } from "./compiled.ts";
import { buildKeyTable } from "./key-table.ts";
import { packLists, sharedUint32 } from "./shared-arrays.ts";

export interface ProgramItem {
  readonly rule: number;
  /** Item to go on with after Pass or Log, relative to the program's first item. */
  readonly next: number;
}

/** The three predicates a rule is found by. */
export interface RuleKey {
  readonly source: number;
  readonly destination: number;
  readonly destinationPort: number;
}

export function buildPrograms(programs: readonly (readonly ProgramItem[])[], rules: readonly RuleKey[]): ProgramTable {
  const itemStart: number[] = [];
  const itemRule: number[] = [];
  const itemNext: number[] = [];
  const firstItem: [number, number, number, number][] = [];
  const sidePredicates: number[][] = [];
  const pairs: [number, number, number, number][] = [];
  const pairFirst: number[] = [];
  const buckets: [number, number, number, number][] = [];
  const bucketItems: number[][] = [];

  programs.forEach((items, program) => {
    const base = itemRule.length;
    itemStart.push(base);
    const sides = [new Map<number, number>(), new Map<number, number>(), new Map<number, number>()] as const;
    const pairIds = new Map<string, number>();
    const bucketIds = new Map<string, number>();
    items.forEach((entry, position) => {
      const item = base + position;
      itemRule.push(entry.rule);
      itemNext.push(base + entry.next);
      const key = rules[entry.rule];
      const predicates = [key.source, key.destination, key.destinationPort];
      predicates.forEach((predicate, side) => {
        if (!sides[side].has(predicate)) sides[side].set(predicate, item);
      });
      const pairKey = `${key.source},${key.destination}`;
      let pair = pairIds.get(pairKey);
      if (pair === undefined) {
        pair = pairFirst.length;
        pairIds.set(pairKey, pair);
        pairFirst.push(item);
        pairs.push([program, key.source, key.destination, pair]);
      }
      const bucketKey = `${pair},${key.destinationPort}`;
      const bucket = bucketIds.get(bucketKey);
      if (bucket === undefined) {
        bucketIds.set(bucketKey, bucketItems.length);
        buckets.push([pair, key.destinationPort, 0, bucketItems.length]);
        bucketItems.push([item]);
      } else bucketItems[bucket].push(item);
    });
    sides.forEach((predicates, side) => {
      sidePredicates.push([...predicates.keys()]);
      for (const [predicate, item] of predicates) firstItem.push([program * 3 + side, predicate, 0, item]);
    });
  });
  itemStart.push(itemRule.length);

  return {
    itemStart: sharedUint32(itemStart),
    itemRule: sharedUint32(itemRule),
    itemNext: sharedUint32(itemNext),
    firstItem: buildKeyTable(firstItem),
    sidePredicates: packLists(sidePredicates),
    pairs: buildKeyTable(pairs),
    pairFirst: sharedUint32(pairFirst),
    buckets: buildKeyTable(buckets),
    bucketItems: packLists(bucketItems),
  };
}
