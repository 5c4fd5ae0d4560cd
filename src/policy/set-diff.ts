/**
 * What tells two policy sets apart: resources by kind, namespace and name that
 * are in one of them only, or in both with other contents. Where something
 * stands in a file is no content. Sorted, so that equal sets of changes read
 * the same.
 */
import { IMPLIED_LOCATION } from "../resources/inventory.ts";
import type { ResourceSet } from "../resources/types.ts";

export interface FieldChange {
  readonly field: string;
  /** Half a word for people: a value, or how many entries a list has; equal on both sides where only contents differ. */
  readonly before: string;
  readonly after: string;
}

export interface ResourceChange {
  readonly change: "added" | "removed" | "changed";
  readonly kind: string;
  /** Empty for what is in no namespace. */
  readonly namespace: string;
  readonly name: string;
  /** Of a policy: its tier in the new set, or the last one it had. */
  readonly tier?: string;
  /** Of a changed one. */
  readonly fields: readonly FieldChange[];
}

type Content = Readonly<Record<string, unknown>>;

interface Named {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly content: Content;
}

/** Not contents: the first is a place, the others are said already. */
const NOT_CONTENT = new Set(["location", "kind", "name", "namespace"]);
/** Shown first, because they say whose word counts. */
const FIRST = ["tier", "order", "selector"];
const LONGEST_VALUE = 60;

/** The changes that lead from one set to the other. */
export function diffSets(before: ResourceSet, after: ResourceSet): ResourceChange[] {
  const old = inventory(before);
  const now = inventory(after);
  const changes: ResourceChange[] = [];
  for (const [key, resource] of old) {
    const successor = now.get(key);
    if (successor === undefined) changes.push(change("removed", resource, []));
    else if (successor.content !== resource.content) {
      const fields = changedFields(resource.content, successor.content);
      if (fields.length > 0) changes.push(change("changed", successor, fields));
    }
  }
  for (const [key, resource] of now) if (!old.has(key)) changes.push(change("added", resource, []));
  return changes.toSorted((a, b) => compare(a.kind, b.kind) || compare(a.namespace, b.namespace) || compare(a.name, b.name));
}

function change(
  what: ResourceChange["change"],
  { kind, namespace, name, content }: Named,
  fields: readonly FieldChange[],
): ResourceChange {
  const { tier } = content;
  return { change: what, kind, namespace, name, ...(typeof tier === "string" ? { tier } : {}), fields };
}

function inventory(set: ResourceSet): Map<string, Named> {
  const named = new Map<string, Named>();
  const add = (kind: string, namespace: string, name: string, content: object): void => {
    named.set(JSON.stringify([kind, namespace, name]), { kind, namespace, name, content: content as Content });
  };
  for (const policy of set.policies) {
    add(policy.staged ? `Staged${policy.kind}` : policy.kind, policy.namespace ?? "", policy.name, policy);
  }
  for (const each of [...set.hostEndpoints, ...set.workloadEndpoints, ...set.networkSets]) {
    add(each.kind, each.kind === "HostEndpoint" ? "" : (each.namespace ?? ""), each.name, each);
  }
  const profiles = [...set.profiles.values()].filter(({ location }) => location !== IMPLIED_LOCATION);
  for (const each of [...set.tiers, ...profiles, ...set.felixConfigurations]) add(each.kind, "", each.name, each);
  for (const node of set.nodes ?? []) add("Node", "", node.name, node);
  if (set.serviceNets !== undefined) add("BGPConfiguration", "", "default", { serviceNets: set.serviceNets });
  return named;
}

function changedFields(before: Content, after: Content): FieldChange[] {
  const names = new Set([...FIRST, ...Object.keys(before), ...Object.keys(after)]);
  const fields: FieldChange[] = [];
  for (const field of names) {
    if (NOT_CONTENT.has(field) || isSame(field, before[field], after[field])) continue;
    fields.push({ field, before: brief(before[field]), after: brief(after[field]) });
  }
  return fields;
}

function isSame(field: string, before: unknown, after: unknown): boolean {
  if (before === after) return true;
  if (typeof before !== "object" || typeof after !== "object") return false;
  if (field === "labels") return contentText({ labels: before }) === contentText({ labels: after });
  return contentText(before) === contentText(after);
}

/** The same text for the same content, wherever it stands; labels in whatever order. */
function contentText(value: unknown): string {
  return JSON.stringify(value, contentOf) ?? "";
}

function contentOf(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return value;
  if (key === "location") return undefined;
  // A selector that selects the same is the same.
  if ("key" in value && "root" in value) return value.key;
  if (key !== "labels") return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => compare(one, other)));
}

function brief(value: unknown): string {
  if (value === undefined) return "none";
  if (Array.isArray(value)) return value.length === 1 ? "1 entry" : `${value.length} entries`;
  const text = typeof value === "object" && value !== null && "text" in value ? String(value.text) : contentText(value);
  const plain = text.startsWith('"') ? text.slice(1, -1) : text;
  return plain.length <= LONGEST_VALUE ? plain : `${plain.slice(0, LONGEST_VALUE)}…`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
