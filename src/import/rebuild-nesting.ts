/**
 * The one repair that the daemon itself makes (SEMANTICS 0.2): a document whose
 * lines all begin at the same column, nested anew by the schema of its kind.
 * All of the document is used or none of it; an article around it, line
 * numbers and fragments are for `rampart import`.
 */
import type { HopelessNesting, NestingNote, RebuiltNesting } from "../resources/lost-nesting.ts";
import type { PlacedNode } from "../resources/placed-node.ts";
import { lookUpKind } from "../resources/resource-registry.ts";
import type { YamlValue } from "../resources/yaml-value.ts";
import { canonicalYaml } from "./canonical-yaml.ts";
import { clip, readFlatLines } from "./flat-lines.ts";
import type { EntryOrigins } from "./renest.ts";
import { headerField, isFlat, respacing, rootField } from "./repair-document.ts";
import { lookUpSchema } from "./schema-tree.ts";
import type { Entry, SourceLine } from "./source-line.ts";
import { shapeOf, splitLines } from "./source-line.ts";

/** Every line ends in one of these, as `splitLines` has it. */
const LINE_END = /\r\n|\n|\r/g;
const MARKER = /^---(?:\s+#.*)?$/;

/** Characters; what people copy out of an article is far smaller. */
const MAX_TEXT = 256 * 1024;
const MAX_LINE = 4096;

/** A NestingRebuilder. What is too large for it is left as it is. */
export function rebuildNesting(text: string): RebuiltNesting | HopelessNesting | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const all = splitLines(text);
  if (all.some((line) => line.text.length > MAX_LINE)) return undefined;
  const from = all.findIndex((line) => !["blank", "comment"].includes(shapeOf(line).shape) && !MARKER.test(line.text));
  const lines = from < 0 ? [] : all.slice(from);
  const margin = lines[0] === undefined ? 0 : shapeOf(lines[0]).indent;
  const apiVersion = headerField(lines, margin, "apiVersion");
  const kind = headerField(lines, margin, "kind");
  if (apiVersion === undefined || kind === undefined) return undefined;
  const schema = lookUpSchema(apiVersion, kind);
  if (schema === undefined || lookUpKind(apiVersion, kind).found !== "enforced") return undefined;
  const isEmpty = (key: string): boolean => /^(?:#.*)?$/.test(rootField(lines, margin, key)?.raw ?? "");
  if (!isFlat(lines, margin, schema) || !isEmpty("metadata") || !isEmpty("spec")) return undefined;

  const offsets = new LineOffsets(text);
  const hopeless = (line: number, reason: string): HopelessNesting => {
    return { problem: `the indentation is lost and cannot be rebuilt: ${reason}`, offset: offsets.ofLine(line) };
  };
  const flat = readFlatLines({ lines, root: schema.root, textFollows: false });
  if (!flat.ok) return hopeless(flat.line, flat.message);
  const left = lines.slice(flat.used).find((line) => !["blank", "comment"].includes(shapeOf(line).shape));
  if (left !== undefined) return hopeless(left.number, `${JSON.stringify(clip(left.text.trim()))} fits nowhere in it`);

  const { number } = lines[0] as SourceLine;
  const message = `${schema.name}: the indentation is lost; the nesting was rebuilt from the fields of the kind`;
  const rebuilt = { code: "RAMPART_W_REPAIR_INDENTATION", message, offset: offsets.ofLine(number) } as const;
  const others = [...respacing(lines), ...flat.repairs].map(({ code, line, message }): NestingNote => {
    return { code, message, offset: offsets.ofLine(line) };
  });
  const start = offsets.ofLine(number);
  const root = new Placement(flat.origins, offsets).place(flat.value, start, start, "");
  return { value: flat.value, root, notes: [{ ...rebuilt, yaml: canonicalYaml(flat.value) }, ...others] };
}

/** Where lines, keys and values stand in the document. */
class LineOffsets {
  private readonly lines: readonly { readonly start: number; readonly text: string }[];

  constructor(text: string) {
    const starts = [0, ...[...text.matchAll(LINE_END)].map(({ index, 0: end }) => index + end.length)];
    const texts = text.split(LINE_END);
    this.lines = starts.map((start, at) => ({ start, text: texts[at] as string }));
  }

  /** Of the first character of the line that is no blank. */
  ofLine(number: number): number {
    const { start, text } = this.line(number);
    return start + Math.max(text.search(/\S/), 0);
  }

  /** Past the dashes; of the item, where there is no key. */
  ofKey({ line }: Entry): number {
    const { start, text } = this.line(line);
    return start + Math.max(text.search(/[^\s-]/), 0);
  }

  /** Of what stands after the key or the dash; the line's own text may have had other blanks. */
  ofValue(entry: Entry): number {
    const key = this.ofKey(entry);
    if (entry.raw === "") return key;
    const { start, text } = this.line(entry.line);
    const from = entry.key === undefined ? 0 : key - start + entry.key.length;
    const at = text.indexOf(entry.raw, from);
    return at < 0 ? key : start + at;
  }

  private line(number: number): { readonly start: number; readonly text: string } {
    return this.lines[number - 1] as { start: number; text: string };
  }
}

/** The tree of places of a value that was put together from lines. */
class Placement {
  private readonly origins: EntryOrigins;
  private readonly offsets: LineOffsets;

  constructor(origins: EntryOrigins, offsets: LineOffsets) {
    this.origins = origins;
    this.offsets = offsets;
  }

  /** What has no line of its own, in brackets, stands where its line's value does: at `start`. */
  place(value: YamlValue, key: number, start: number, raw: string): PlacedNode {
    if (Array.isArray(value)) {
      const lines = this.origins.get(value);
      const items = value.map((item, at) => this.placeAt(item, lines?.get(at), start));
      return { type: "list", start: items[0]?.start ?? start, items };
    }
    if (typeof value === "object" && value !== null) {
      const lines = this.origins.get(value);
      const keys = Object.keys(value);
      const keyStarts = keys.map((name) => {
        const entry = lines?.get(name);
        return entry === undefined ? start : this.offsets.ofKey(entry);
      });
      const values = keys.map((name) => this.placeAt(value[name] as YamlValue, lines?.get(name), start));
      return { type: "map", start: keyStarts[0] ?? start, keys, keyStarts, values };
    }
    const text = typeof value === "string" ? value : undefined;
    if (raw === "") return { type: "scalar", start: key, end: key, text };
    return { type: "scalar", start, end: start + raw.length, text };
  }

  private placeAt(value: YamlValue, entry: Entry | undefined, start: number): PlacedNode {
    if (entry === undefined) return this.place(value, start, start, " ");
    return this.place(value, this.offsets.ofKey(entry), this.offsets.ofValue(entry), entry.raw);
  }
}
