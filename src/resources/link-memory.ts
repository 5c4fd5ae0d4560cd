/**
 * What linking made of a resource last time. An endpoint or network set that
 * comes out as before is the same object as before, so that whoever follows
 * one load after another sees at once what did not change.
 */
import type { Labels } from "./types.ts";

interface Linked {
  readonly labels: Labels;
  readonly interfaceName?: string | undefined;
}

export class LinkMemory {
  /** Gone with the resource they were made of. */
  private readonly last = new WeakMap<object, Linked>();

  /** `linked`, or what was made of `source` before if that is equal: all but these fields follows from `source`. */
  same<L extends Linked>(source: object, linked: L): L {
    const before = this.last.get(source) as L | undefined;
    if (before?.interfaceName === linked.interfaceName && haveSameLabels(before?.labels, linked.labels)) {
      return before as L;
    }
    this.last.set(source, linked);
    return linked;
  }
}

function haveSameLabels(before: Labels | undefined, after: Labels): boolean {
  if (before === undefined) return false;
  const names = Object.keys(after);
  return Object.keys(before).length === names.length && names.every((name) => before[name] === after[name]);
}
