/**
 * One YAML document: its plain value, and where in the file each part of it
 * stands. Positions are worked out only when something asks for one.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { PlacedNode } from "./placed-node.ts";
import { resolved } from "./placed-node.ts";
import type { SourceText } from "./source-text.ts";
import type { YamlValue } from "./yaml-value.ts";

/** Keys and list positions from the root of a document. */
export type ValuePath = readonly (string | number)[];

/** `spec.ingress[0].source`; keys that are no plain word are quoted. */
export function formatPath(path: ValuePath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z0-9_]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

interface Found {
  /** Where there is none at the path, the nearest parent. */
  readonly node: PlacedNode;
  /** undefined for the root and for list items. */
  readonly keyStart: number | undefined;
  readonly found: boolean;
}

export class YamlDocument {
  readonly value: YamlValue;
  readonly #source: SourceText;
  readonly #root: PlacedNode;

  constructor(source: SourceText, value: YamlValue, root: PlacedNode) {
    this.value = value;
    this.#source = source;
    this.#root = root;
  }

  /** Where the value at `path` starts; if it does not exist, its nearest parent. */
  location(path: ValuePath): SourceLocation {
    const { node, keyStart } = this.#find(path);
    // An empty value has no text of its own; its key is what a person can see.
    const empty = node.type === "scalar" && node.start === node.end;
    return this.#source.locate(empty ? (keyStart ?? node.start) : node.start);
  }

  /** Where the key itself stands, for a field that should not be there. */
  keyLocation(path: ValuePath): SourceLocation {
    const { node, keyStart } = this.#find(path);
    return this.#source.locate(keyStart ?? node.start);
  }

  /**
   * Where character `offset` of the text at `path` stands. Exact where the
   * line of text is in the file as it is; the start of the value where quoting
   * or folding changed it.
   */
  textLocation(path: ValuePath, offset: number): SourceLocation {
    const node = resolved(this.#find(path).node);
    if (node.type !== "scalar" || node.text === undefined) return this.location(path);
    const { text, start, end } = node;
    const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
    const lineEnd = text.indexOf("\n", lineStart);
    const line = text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd);
    const at = line === "" ? -1 : this.#source.text.slice(start, end).indexOf(line);
    return this.#source.locate(at < 0 ? start : start + at + offset - lineStart);
  }

  isMapping(path: ValuePath): boolean {
    const { node, found } = this.#find(path);
    return found && resolved(node).type === "map";
  }

  #find(path: ValuePath): Found {
    let node = this.#root;
    let keyStart: number | undefined;
    for (const step of path) {
      const parent = resolved(node);
      if (parent.type === "map") {
        // A mapping where a list belongs was read as its only item.
        if (typeof step === "number") continue;
        const at = parent.keys.indexOf(step);
        if (at < 0) return { node, keyStart, found: false };
        keyStart = parent.keyStarts[at] as number;
        node = parent.values[at] as PlacedNode;
      } else if (parent.type === "list") {
        const item = parent.items[step as number];
        if (item === undefined) return { node, keyStart, found: false };
        keyStart = undefined;
        node = item;
      } else {
        return { node, keyStart, found: false };
      }
    }
    return { node, keyStart, found: true };
  }
}
