/**
 * A YAML node tree as plain values. What comes out is what JSON could have
 * said: string keys, no cycles, bounded in depth and size. Aliases are
 * expanded here and nowhere else, so their bound cannot be bypassed.
 */
import { isAlias, isMap, isScalar, isSeq } from "yaml";
import type { Alias, Node, Pair, Scalar, YAMLMap } from "yaml";
import type { ErrorCode } from "../errors/rampart-error.ts";
import type { LoadLimits } from "./load-limits.ts";

export type YamlValue = string | number | boolean | null | YamlValue[] | YamlObject;
export interface YamlObject {
  [key: string]: YamlValue;
}

export function isYamlObject(value: unknown): value is YamlObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A problem at a character offset of the file. */
export class YamlProblem extends Error {
  readonly code: ErrorCode;
  readonly offset: number;
  readonly hint: string;

  constructor(code: ErrorCode, message: string, offset: number, hint: string) {
    super(message);
    this.name = "YamlProblem";
    this.code = code;
    this.offset = offset;
    this.hint = hint;
  }
}

export type AliasTargets = ReadonlyMap<Alias, Node>;

/** The text a mapping key stands for, as JSON would spell it; undefined for keys JSON cannot have. */
export function keyText(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
}

export class YamlValueReader {
  private readonly limits: LoadLimits;
  private readonly anchors = new Map<string, Node>();
  private readonly targets = new Map<Alias, Node>();
  private readonly expanding = new Set<Node>();
  private expandedValues = 0;

  constructor(limits: LoadLimits) {
    this.limits = limits;
  }

  /** Where each alias that was read points. */
  get aliasTargets(): AliasTargets {
    return this.targets;
  }

  /** Throws YamlProblem (RAMPART_E_YAML_SYNTAX, RAMPART_E_YAML_LIMIT). */
  read(node: unknown, depth = 1): YamlValue {
    if (node === null || node === undefined) return null;
    if (this.expanding.size > 0 && ++this.expandedValues > this.limits.aliasValues) {
      throw new YamlProblem(
        "RAMPART_E_YAML_LIMIT",
        `aliases expand to more than ${this.limits.aliasValues} values`,
        startOf(node as Node),
        "write the values out, or use fewer aliases",
      );
    }
    if (isAlias(node)) return this.readAlias(node, depth);
    const anchor = (node as { anchor?: string }).anchor;
    if (anchor !== undefined) this.anchors.set(anchor, node as Node);
    if (isScalar(node)) return readScalar(node);
    if (depth > this.limits.depth) {
      throw new YamlProblem(
        "RAMPART_E_YAML_LIMIT",
        `nested deeper than ${this.limits.depth} levels`,
        startOf(node as Node),
        "no resource needs this depth; check the indentation and the brackets",
      );
    }
    if (isMap(node)) return this.readMap(node, depth);
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    throw new YamlProblem("RAMPART_E_YAML_SYNTAX", "not a YAML value", startOf(node as Node), "remove it");
  }

  private readAlias(alias: Alias, depth: number): YamlValue {
    const target = this.anchors.get(alias.source);
    if (target === undefined) {
      throw new YamlProblem(
        "RAMPART_E_YAML_SYNTAX",
        `alias *${alias.source} has no anchor before it in this document`,
        startOf(alias),
        `define &${alias.source} earlier, or quote the text if it is not meant as an alias`,
      );
    }
    if (this.expanding.has(target)) {
      throw new YamlProblem(
        "RAMPART_E_YAML_LIMIT",
        `alias *${alias.source} contains itself`,
        startOf(alias),
        "write the values out instead",
      );
    }
    this.targets.set(alias, target);
    this.expanding.add(target);
    const value = this.read(target, depth);
    this.expanding.delete(target);
    return value;
  }

  private readMap(map: YAMLMap, depth: number): YamlObject {
    const object: YamlObject = {};
    for (const pair of map.items) {
      const key = readKey(pair, map);
      if (Object.hasOwn(object, key)) {
        throw new YamlProblem(
          "RAMPART_E_YAML_SYNTAX",
          `key "${key}" is given twice in the same mapping`,
          startOf(pair.key as Node),
          "keep one of the two",
        );
      }
      object[key] = this.read(pair.value, depth + 1);
    }
    return object;
  }
}

function readKey(pair: Pair, map: YAMLMap): string {
  const node = pair.key as Node | null;
  const offset = startOf(node ?? map);
  const key = keyText(node);
  if (key === undefined) {
    throw new YamlProblem("RAMPART_E_YAML_SYNTAX", "a mapping key must be text", offset, "write `name: value`");
  }
  if (key === "<<" && (node as Scalar).type === "PLAIN") {
    throw new YamlProblem(
      "RAMPART_E_YAML_SYNTAX",
      "merge keys (<<) are not part of YAML 1.2",
      offset,
      "write the fields out, or use an alias for a whole value",
    );
  }
  // Assigning it would set the object's prototype instead of a field.
  if (key === "__proto__") {
    throw new YamlProblem("RAMPART_E_FIELD_UNKNOWN", 'no resource has a field "__proto__"', offset, "remove it");
  }
  return key;
}

function readScalar(scalar: Scalar): YamlValue {
  const value = scalar.value;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
    return value;
  }
  const hint = "use text, a number or a boolean";
  throw new YamlProblem("RAMPART_E_YAML_SYNTAX", "not a YAML value", startOf(scalar), hint);
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}
