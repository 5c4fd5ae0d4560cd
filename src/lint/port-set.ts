/** Sets of port numbers: ranges in ascending order that neither overlap nor touch. */
import type { PortRange } from "../resources/types.ts";

export type PortSet = readonly PortRange[];

/** What a packet that has ports can have as one. */
export const EVERY_PORT: PortSet = [{ min: 0, max: 65_535 }];

export function portSet(ranges: readonly PortRange[]): PortSet {
  const merged: PortRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.min - b.min)) {
    const last = merged.at(-1);
    if (last === undefined || range.min > last.max + 1) merged.push(range);
    else merged[merged.length - 1] = { min: last.min, max: Math.max(last.max, range.max) };
  }
  return merged;
}

/** The ports of `set` that are not in `others`. */
export function withoutPorts(set: PortSet, others: PortSet): PortSet {
  let rest = set;
  for (const { min, max } of others) {
    rest = rest.flatMap((range) =>
      [
        { min: range.min, max: Math.min(range.max, min - 1) },
        { min: Math.max(range.min, max + 1), max: range.max },
      ].filter((part) => part.min <= part.max),
    );
  }
  return rest;
}

/** Is every port of `inner` in `outer`? */
export function containsPorts(outer: PortSet, inner: PortSet): boolean {
  return inner.every(({ min, max }) => outer.some((range) => range.min <= min && max <= range.max));
}

export function sharePorts(a: PortSet, b: PortSet): boolean {
  return a.some((one) => b.some((other) => one.min <= other.max && other.min <= one.max));
}
