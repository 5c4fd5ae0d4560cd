import { describe, expect, it } from "vitest";
import { NO_VALUE, ValuePredicates, type ValueClasses } from "../../src/tables/value-classes.ts";

function satisfied(classes: ValueClasses, value: number): number[] {
  const cls = classes.classOf[value];
  const { start, values } = classes.predicates;
  return [...values.subarray(start[cls], start[cls + 1])];
}

describe("value classes", () => {
  it("map a port to every range that holds it, edges included", () => {
    const predicates = new ValuePredicates();
    const web = predicates.add({ include: [{ min: 80, max: 80 }, { min: 443, max: 443 }], exclude: [], whenAbsent: false });
    const low = predicates.add({ include: [{ min: 0, max: 1023 }], exclude: [], whenAbsent: false });
    const last = predicates.add({ include: [{ min: 65535, max: 65535 }], exclude: [], whenAbsent: false });
    const classes = predicates.build();
    expect(satisfied(classes, 0)).toEqual([low]);
    expect(satisfied(classes, 80)).toEqual([web, low]);
    expect(satisfied(classes, 1023)).toEqual([low]);
    expect(satisfied(classes, 1024)).toEqual([]);
    expect(satisfied(classes, 65535)).toEqual([last]);
    expect(satisfied(classes, NO_VALUE)).toEqual([]);
  });

  it("a negation holds outside its ranges, and an absent value only where that was asked for", () => {
    const predicates = new ValuePredicates();
    const notWeb = predicates.add({ include: undefined, exclude: [{ min: 80, max: 90 }, { min: 85, max: 100 }], whenAbsent: false });
    const orAbsent = predicates.add({ include: undefined, exclude: [{ min: 80, max: 90 }], whenAbsent: true });
    const classes = predicates.build();
    expect(satisfied(classes, 79)).toEqual([notWeb, orAbsent]);
    expect(satisfied(classes, 80)).toEqual([]);
    expect(satisfied(classes, 95)).toEqual([orAbsent]);
    expect(satisfied(classes, 101)).toEqual([notWeb, orAbsent]);
    expect(satisfied(classes, NO_VALUE)).toEqual([orAbsent]);
  });

  it("include and exclude together leave the difference", () => {
    const predicates = new ValuePredicates();
    const id = predicates.add({
      include: [{ min: 10, max: 20 }, { min: 15, max: 30 }],
      exclude: [{ min: 12, max: 12 }, { min: 29, max: 40 }],
      whenAbsent: false,
    });
    const classes = predicates.build();
    const inside = Array.from({ length: 50 }, (_, v) => v).filter((v) => satisfied(classes, v).includes(id));
    expect(inside).toEqual([10, 11, ...Array.from({ length: 16 }, (_, i) => 13 + i)]);
  });

  it("equal predicates are one, and no condition at all is predicate 0", () => {
    const predicates = new ValuePredicates();
    const a = predicates.add({ include: [{ min: 1, max: 2 }, { min: 3, max: 4 }], exclude: [], whenAbsent: false });
    expect(predicates.add({ include: [{ min: 1, max: 4 }], exclude: [], whenAbsent: false })).toBe(a);
    expect(predicates.add({ include: undefined, exclude: [], whenAbsent: true })).toBe(0);
  });
});
