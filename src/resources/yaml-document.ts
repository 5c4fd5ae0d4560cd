/**
 * One YAML document: its plain value, and where in the file each part of it
 * stands. Positions are worked out only when something asks for one.
 */
import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { LineCounter, Node, Pair } from "yaml";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { AliasTargets, YamlValue } from "./yaml-value.ts";
import { keyText } from "./yaml-value.ts";

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

export interface SourceText {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
}

export function locate(source: SourceText, offset: number): SourceLocation {
  const { line, col } = source.lines.linePos(Math.min(Math.max(offset, 0), source.text.length));
  return { file: source.file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

export class YamlDocument {
  readonly value: YamlValue;
  private readonly source: SourceText;
  private readonly root: Node;
  private readonly aliases: AliasTargets;

  constructor(source: SourceText, root: Node, value: YamlValue, aliases: AliasTargets) {
    this.source = source;
    this.root = root;
    this.value = value;
    this.aliases = aliases;
  }

  /** Where the value at `path` starts; if it does not exist, its nearest parent. */
  location(path: ValuePath): SourceLocation {
    const { node, key } = this.find(path);
    const [start, end] = node.range ?? [0, 0];
    // An empty value has no text of its own; its key is what a person can see.
    return locate(this.source, start === end ? (key?.range?.[0] ?? start) : start);
  }

  /** Where the key itself stands, for a field that should not be there. */
  keyLocation(path: ValuePath): SourceLocation {
    const { node, key } = this.find(path);
    return locate(this.source, key?.range?.[0] ?? node.range?.[0] ?? 0);
  }

  /**
   * Where character `offset` of the text at `path` stands. Exact where the
   * line of text is in the file as it is; the start of the value where quoting
   * or folding changed it.
   */
  textLocation(path: ValuePath, offset: number): SourceLocation {
    const node = this.resolve(this.find(path).node);
    if (!isScalar(node) || typeof node.value !== "string") return this.location(path);
    const [start, end] = node.range ?? [0, 0];
    const text = node.value;
    const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
    const lineEnd = text.indexOf("\n", lineStart);
    const line = text.slice(lineStart, lineEnd < 0 ? text.length : lineEnd);
    const at = line === "" ? -1 : this.source.text.indexOf(line, start);
    if (at < 0 || at + line.length > end) return locate(this.source, start);
    return locate(this.source, at + offset - lineStart);
  }

  isMapping(path: ValuePath): boolean {
    const { node, found } = this.find(path);
    return found && isMap(this.resolve(node));
  }

  private resolve(node: Node): Node {
    let current = node;
    while (isAlias(current)) {
      const target = this.aliases.get(current);
      if (target === undefined) break;
      current = target;
    }
    return current;
  }

  /** The node at `path`; where there is none, the nearest parent, and `found` is false. */
  private find(path: ValuePath): { node: Node; key: Node | undefined; found: boolean } {
    let node = this.root;
    let key: Node | undefined;
    for (const step of path) {
      const parent = this.resolve(node);
      if (isMap(parent)) {
        // A mapping where a list belongs was read as its only item.
        if (typeof step === "number") continue;
        const pair = parent.items.find((item) => keyText(item.key) === step) as Pair<Node, Node | null> | undefined;
        if (pair === undefined) return { node, key, found: false };
        key = pair.key;
        node = pair.value ?? pair.key;
      } else if (isSeq(parent)) {
        const item = parent.items[step as number] as Node | undefined;
        if (item === undefined) return { node, key, found: false };
        key = undefined;
        node = item;
      } else {
        return { node, key, found: false };
      }
    }
    return { node, key, found: true };
  }
}
