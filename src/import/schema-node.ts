/** The shape of a resource, as far as it is needed to find out which field belongs where. */

export type SchemaNode = MapNode | ListNode | LabelsNode | LeafNode;

export interface MapNode {
  readonly type: "map";
  readonly fields: Readonly<Record<string, SchemaNode>>;
  /** Field names in any spelling, and fields nobody declared hold one word (Felix's settings). */
  readonly anyField: boolean;
}

export interface ListNode {
  readonly type: "list";
  readonly item: SchemaNode;
  /** Besides mappings, single words are items too. */
  readonly words: boolean;
}

/** A mapping of any keys to scalars: labels, annotations. */
export interface LabelsNode {
  readonly type: "labels";
  readonly value: LeafNode;
}

/** What a plain scalar may look like, which says where it ends when other text follows it. */
export interface LeafNode {
  readonly type: "word" | "selector" | "text";
}

export const WORD: LeafNode = { type: "word" };
export const SELECTOR: LeafNode = { type: "selector" };
export const TEXT: LeafNode = { type: "text" };
export const LABELS: LabelsNode = { type: "labels", value: WORD };
export const ANNOTATIONS: LabelsNode = { type: "labels", value: TEXT };

export function map(fields: Readonly<Record<string, SchemaNode>>): MapNode {
  return { type: "map", fields, anyField: false };
}

export function list(item: SchemaNode): ListNode {
  return { type: "list", item, words: isLeaf(item) };
}

/** Fields that all hold one word. */
export function words(...names: readonly string[]): Record<string, SchemaNode> {
  return Object.fromEntries(names.map((name) => [name, WORD]));
}

export function isLeaf(node: SchemaNode): node is LeafNode {
  return node.type === "word" || node.type === "selector" || node.type === "text";
}

/** The declared field `key` means, if any. */
export function declaredField(node: MapNode, key: string): string | undefined {
  if (Object.hasOwn(node.fields, key)) return key;
  if (!node.anyField) return undefined;
  return Object.keys(node.fields).find((name) => name.toLowerCase() === key.toLowerCase());
}

/** True if `key` is a field of the node or of anything inside it. */
export function declaresAnywhere(node: SchemaNode, key: string): boolean {
  if (node.type === "list") return declaresAnywhere(node.item, key);
  if (node.type !== "map") return false;
  if (declaredField(node, key) !== undefined) return true;
  return Object.values(node.fields).some((field) => declaresAnywhere(field, key));
}
