/** Text like `<name of endpoint>` that a person was meant to replace (SEMANTICS 0.2). */
import type { ValuePath } from "./yaml-document.ts";
import type { YamlValue } from "./yaml-value.ts";

const PLACEHOLDER = /^<[A-Za-z][^<>]*>/;

export function findPlaceholders(value: YamlValue): { path: ValuePath; text: string }[] {
  const found: { path: ValuePath; text: string }[] = [];
  // Hardly any document has one; the way to it is only followed where there is.
  if (contains(value)) collect(value, [], found);
  return found;
}

function contains(value: YamlValue): boolean {
  if (typeof value === "string") return value.startsWith("<");
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(contains);
  for (const key in value) if (contains(value[key] as YamlValue)) return true;
  return false;
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
