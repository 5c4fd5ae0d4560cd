/**
 * Rebuilds the nesting of lines whose indentation is gone (SEMANTICS 0.2,
 * re-nesting algorithm). A stack of open schema nodes is kept; each line goes
 * to the innermost open node whose schema declares its key and has it unset.
 * `place` never changes anything, and a line that fits nowhere is never
 * dropped here: the caller decides what it means.
 */
import type { YamlObject, YamlValue } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import { readFieldValue } from "./field-value.ts";
import type { LeafNode, ListNode, MapNode, SchemaNode } from "./schema-node.ts";
import { declaredField, declaresAnywhere, isLeaf, WORD } from "./schema-node.ts";
import type { Entry } from "./source-line.ts";

export type Misfit =
  /** No field of the kind is called so. */
  | "unknown"
  /** The node that was just being filled has this field already. */
  | "repeated"
  /** A field of the kind, but not of anything that is open here. */
  | "elsewhere"
  /** The field is right and its value cannot be what it holds. */
  | "value"
  /** A list item and no open list for it. */
  | "item";

/** The line could have meant something else too. */
export type Doubt =
  /** One more label of the mapping before it. */
  | "label"
  /** A field or an item of something further out that is open as well. */
  | "outer";

/** Where an entry goes: a commit to be made, or the reason that there is none. */
export type Placement =
  | {
      readonly fits: true;
      /** Text of the line that is not part of the value. */
      readonly rest: string;
      readonly doubt: Doubt | undefined;
      commit(): void;
    }
  | { readonly fits: false; readonly misfit: Misfit };

type ContainerNode = Exclude<SchemaNode, LeafNode>;
type Frame =
  | { readonly type: "map"; readonly node: MapNode; readonly value: YamlObject }
  | { readonly type: "labels"; readonly leaf: LeafNode; readonly value: YamlObject }
  | { readonly type: "list"; readonly node: ListNode; readonly items: YamlValue[] }
  /** A container that nothing has been put in; it stays null unless something is. */
  | { readonly type: "empty"; readonly node: ContainerNode; fill(value: YamlValue): void };

/** The line that each field and item came from, by the mapping or list it was put in. */
export type EntryOrigins = ReadonlyMap<object, ReadonlyMap<string | number, Entry>>;

export class Renesting {
  readonly value: YamlObject = {};
  private readonly placed = new Map<object, Map<string | number, Entry>>();
  private readonly root: MapNode;
  private readonly stack: Frame[];

  constructor(root: MapNode) {
    this.root = root;
    this.stack = [{ type: "map", node: root, value: this.value }];
  }

  get origins(): EntryOrigins {
    return this.placed;
  }

  place(entry: Entry): Placement {
    if (entry.dashes > 1) return misfit("item");
    if (entry.key === "__proto__") return misfit("unknown");
    if (entry.dashes === 1) return entry.key === undefined ? this.placeItem(entry) : this.placeInNewItem(entry);
    return this.placeField(entry);
  }

  private placeField(entry: Entry): Placement {
    const { key = "", raw } = entry;
    for (let at = this.stack.length - 1; at >= 0; at--) {
      const frame = opened(this.stack[at] as Frame);
      if (frame.type === "labels") {
        if (Object.hasOwn(frame.value, key) || this.declaredOutside(at, key)) continue;
        const read = readFieldValue(frame.leaf, raw);
        if (read === undefined || read.value === null) continue;
        return fits(read.rest, undefined, () => {
          this.openUpTo(at);
          const { value } = this.stack[at] as Extract<Frame, { type: "labels" }>;
          value[key] = read.value;
          this.remember(value, key, entry);
        });
      }
      if (frame.type !== "map") continue;
      const declared = declaredField(frame.node, key);
      if (declared !== undefined && Object.hasOwn(frame.value, declared)) {
        if (at === this.stack.length - 1) return misfit("repeated");
        continue;
      }
      const undeclared = frame.node.anyField && /^[a-z][A-Za-z0-9]*$/.test(key) && !declaresAnywhere(this.root, key);
      if (declared === undefined && !undeclared) continue;
      const node = declared === undefined ? WORD : (frame.node.fields[declared] as SchemaNode);
      const read = readFieldValue(node, raw);
      if (read === undefined) return misfit("value");
      const innermost = opened(this.stack.at(-1) as Frame);
      const label = innermost.type === "labels" && read.value !== null && typeof read.value !== "object";
      const doubt = label ? "label" : this.declaredOutside(at, key) ? "outer" : undefined;
      return fits(read.rest, doubt, () => {
        this.openUpTo(at);
        const owner = this.stack[at] as Extract<Frame, { type: "map" }>;
        this.put(owner.value, entry, node, read.value);
      });
    }
    return misfit(declaresAnywhere(this.root, key) ? "elsewhere" : "unknown");
  }

  /** `- key: value`: the innermost open list whose items declare the key. */
  private placeInNewItem(entry: Entry): Placement {
    const { key = "", raw } = entry;
    for (let at = this.stack.length - 1; at >= 0; at--) {
      const frame = opened(this.stack[at] as Frame);
      if (frame.type !== "list") continue;
      const item = frame.node.item;
      if (item.type !== "map") continue;
      const declared = declaredField(item, key);
      if (declared === undefined) continue;
      const node = item.fields[declared] as SchemaNode;
      const read = readFieldValue(node, raw);
      if (read === undefined) return misfit("value");
      const doubt = this.listOutside(at, (node) => node.type === "map" && declaredField(node, key) !== undefined);
      return fits(read.rest, doubt, () => {
        this.openUpTo(at);
        const value: YamlObject = {};
        this.putItem(at, entry, value);
        this.stack.push({ type: "map", node: item, value });
        this.put(value, entry, node, read.value);
      });
    }
    return misfit(declaresAnywhere(this.root, key) ? "elsewhere" : "unknown");
  }

  /** `- 80`, `- {}`: the innermost open list that holds such items. */
  private placeItem(entry: Entry): Placement {
    const { raw } = entry;
    for (let at = this.stack.length - 1; at >= 0; at--) {
      const frame = opened(this.stack[at] as Frame);
      if (frame.type !== "list") continue;
      const { item, words } = frame.node;
      const read = readFieldValue(words && !isLeaf(item) && !raw.startsWith("{") ? WORD : item, raw);
      if (read === undefined || read.value === null || !itemFits(frame.node, read.value)) continue;
      // Names, ports and addresses are ASCII; what is not is a bullet of the text around.
      if (typeof read.value === "string" && !/^[\u0020-\u007e]*$/.test(read.value)) continue;
      const doubt = isYamlObject(read.value) ? this.listOutside(at, (node) => node.type === "map") : undefined;
      return fits(read.rest, doubt, () => {
        this.openUpTo(at);
        this.putItem(at, entry, read.value);
      });
    }
    return misfit("item");
  }

  /** Closes everything inside the frame at `at`, and gives that frame its container if it has none. */
  private openUpTo(at: number): void {
    this.stack.length = at + 1;
    const frame = this.stack[at] as Frame;
    if (frame.type !== "empty") return;
    const filled = opened(frame);
    frame.fill(filled.type === "list" ? filled.items : filled.value);
    this.stack[at] = filled;
  }

  private putItem(at: number, entry: Entry, value: YamlValue): void {
    const { items } = this.stack[at] as Extract<Frame, { type: "list" }>;
    items.push(value);
    this.remember(items, items.length - 1, entry);
  }

  private remember(owner: object, step: string | number, entry: Entry): void {
    const known = this.placed.get(owner);
    if (known === undefined) this.placed.set(owner, new Map([[step, entry]]));
    else known.set(step, entry);
  }

  private put(owner: YamlObject, entry: Entry, node: SchemaNode, value: YamlValue): void {
    const { key = "" } = entry;
    owner[key] = value;
    this.remember(owner, key, entry);
    if (isLeaf(node) || value !== null) return;
    this.stack.push({ type: "empty", node, fill: (filled) => (owner[key] = filled) });
  }

  private listOutside(at: number, holds: (item: SchemaNode) => boolean): Doubt | undefined {
    const found = this.stack.slice(0, at).some((frame) => frame.type === "list" && holds(frame.node.item));
    return found ? "outer" : undefined;
  }

  /** A node around the frame at `at` declares `key` and does not have it. */
  private declaredOutside(at: number, key: string): boolean {
    return this.stack.slice(0, at).some((frame) => {
      if (frame.type !== "map") return false;
      const declared = declaredField(frame.node, key);
      return declared !== undefined && !Object.hasOwn(frame.value, declared);
    });
  }
}

function fits(rest: string, doubt: Doubt | undefined, commit: () => void): Placement {
  return { fits: true, rest, doubt, commit };
}

function misfit(reason: Misfit): Placement {
  return { fits: false, misfit: reason };
}

/** The frame as it would be with something in it. */
function opened(frame: Frame): Exclude<Frame, { type: "empty" }> {
  if (frame.type !== "empty") return frame;
  const { node } = frame;
  if (node.type === "list") return { type: "list", node, items: [] };
  if (node.type === "map") return { type: "map", node, value: {} };
  return { type: "labels", leaf: node.value, value: {} };
}

function itemFits({ item, words }: ListNode, value: YamlValue): boolean {
  if (!isYamlObject(value)) return words && !Array.isArray(value);
  if (item.type === "labels") return true;
  return item.type === "map" && Object.keys(value).every((key) => declaredField(item, key) !== undefined);
}
