/** Rules by where they were written: one written rule of a Kubernetes policy becomes one for each peer and protocol. */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Rule } from "../resources/types.ts";

/** Positions of the rules of each written rule, in order. */
export function entriesByLocation(rules: readonly Rule[]): number[][] {
  const groups = new Map<string, number[]>();
  rules.forEach(({ location }, index) => {
    const key = place(location);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  });
  return [...groups.values()];
}

export function place({ file, line, column }: SourceLocation): string {
  return `${file}:${line}:${column}`;
}
