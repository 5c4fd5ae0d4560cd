/** Text like `<name of endpoint>` that a person was meant to replace (SEMANTICS 0.2). */
import type { ValuePath } from "./yaml-document.ts";
import type { YamlValue } from "./yaml-value.ts";

const PLACEHOLDER = /^<[A-Za-z][^<>]*>/;

export function findPlaceholders(value: YamlValue): { path: ValuePath; text: string }[] {
  const found: { path: ValuePath; text: string }[] = [];
  collect(value, [], found);
  return found;
}

function collect(value: YamlValue, path: (string | number)[], found: { path: ValuePath; text: string }[]): void {
  if (typeof value === "string") {
    if (value.startsWith("<") && PLACEHOLDER.test(value)) found.push({ path: [...path], text: value });
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, item] of entries) {
    // Annotations are anybody's text.
    if (key === "annotations") continue;
    path.push(key);
    collect(item, path, found);
    path.pop();
  }
}
