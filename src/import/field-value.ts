/**
 * The text after a key or a dash, as the value its field can hold. Where a
 * value has ended and text goes on, that text is handed back as `rest` and
 * never swallowed into the value.
 */
import { parse } from "yaml";
import type { YamlValue } from "../resources/yaml-value.ts";
import { isYamlObject } from "../resources/yaml-value.ts";
import { parseSelector } from "../selector/parse.ts";
import type { LeafNode, SchemaNode } from "./schema-node.ts";
import { isLeaf } from "./schema-node.ts";

export interface FieldValue {
  readonly value: YamlValue;
  readonly rest: string;
}

const MAX_FLOW_DEPTH = 32;
/** Words of a selector that are tried together; longer ones are taken whole. */
const MAX_SELECTOR_WORDS = 64;
const PLACEHOLDER = /^<[A-Za-z][^<>]*>/;

/** undefined: not a value this field can hold. Null, with nothing after it, is one for every field. */
export function readFieldValue(node: SchemaNode, raw: string): FieldValue | undefined {
  const text = raw.trim();
  if (text === "" || text.startsWith("#")) return { value: null, rest: "" };
  if (text.startsWith("{") || text.startsWith("[")) return readFlow(node, text);
  return isLeaf(node) ? readLeaf(node, text) : undefined;
}

function readFlow(node: SchemaNode, text: string): FieldValue | undefined {
  const end = flowEnd(text);
  if (end === undefined || isLeaf(node)) return undefined;
  const parsed = parseYaml(text.slice(0, end));
  if (parsed === undefined) return undefined;
  // A mapping where a list belongs is a quirk that is put right later.
  const fits = Array.isArray(parsed.value) ? node.type === "list" : isYamlObject(parsed.value);
  if (!fits) return undefined;
  return { value: parsed.value, rest: withoutComment(text.slice(end)) };
}

function readLeaf(node: LeafNode, text: string): FieldValue | undefined {
  // Block scalars, anchors, aliases and tags need the lines and documents around them.
  if (/^[|>&!%@`]/.test(text) || /^\*./.test(text)) return undefined;
  const quote = text[0];
  if (quote === '"' || quote === "'") {
    const end = quotedEnd(text, 0);
    const parsed = end === undefined ? undefined : parseYaml(text.slice(0, end));
    if (parsed === undefined || typeof parsed.value !== "string") return undefined;
    return { value: parsed.value, rest: withoutComment(text.slice(end)) };
  }
  const plain = withoutComment(text);
  const length = plainLength(node, plain);
  const parsed = parseYaml(plain.slice(0, length));
  if (parsed === undefined || typeof parsed.value === "object") return undefined;
  return { value: parsed.value, rest: plain.slice(length).trim() };
}

function plainLength(node: LeafNode, plain: string): number {
  const placeholder = PLACEHOLDER.exec(plain);
  if (placeholder !== null) return placeholder[0].length;
  if (node.type === "text") return plain.length;
  const ends = [...plain.matchAll(/\S+/g)].map((word) => word.index + word[0].length);
  if (node.type === "word") return ends[0] ?? plain.length;
  if (ends.length > MAX_SELECTOR_WORDS) return plain.length;
  // What is no selector at all is taken whole: the loader says what is wrong with it.
  return ends.findLast((end) => isSelector(plain.slice(0, end))) ?? plain.length;
}

function isSelector(text: string): boolean {
  try {
    parseSelector(text);
    return true;
  } catch {
    return false;
  }
}

/** The value, wrapped because null is one; undefined for what is no YAML. */
function parseYaml(text: string): { value: YamlValue } | undefined {
  try {
    return { value: parse(text, { version: "1.2", schema: "core", logLevel: "error" }) as YamlValue };
  } catch {
    return undefined;
  }
}

/** Where the bracket that opens `text` closes. */
function flowEnd(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if ((char === '"' || char === "'") && /[\s,:[{]/.test(text[at - 1] as string)) {
      const end = quotedEnd(text, at);
      if (end === undefined) return undefined;
      at = end - 1;
    }
    if (depth === 0) return at + 1;
    if (depth > MAX_FLOW_DEPTH) return undefined;
  }
  return undefined;
}

/** The position after the closing quote of the one at `start`. */
export function quotedEnd(text: string, start: number): number | undefined {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at++;
    else if (text[at] === quote) {
      if (quote === "'" && text[at + 1] === "'") at++;
      else return at + 1;
    }
  }
  return undefined;
}

function withoutComment(text: string): string {
  const comment = /(?:^|\s)#/.exec(text);
  return (comment === null ? text : text.slice(0, comment.index)).trim();
}
