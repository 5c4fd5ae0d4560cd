/**
 * A block that begins with `apiVersion:` or `kind:`, as the resource in it.
 * Where the indentation is there it decides; where it is lost everywhere the
 * schema does; where it is damaged in parts, the document is refused.
 */
import { isYamlObject } from "../resources/yaml-value.ts";
import type { Block } from "./article.ts";
import { finishDocument, isListKind, skipKind } from "./finish.ts";
import { clip, readFlatLines } from "./flat-lines.ts";
import type { ImportOutcome, Repair } from "./outcome.ts";
import { NOTHING, skip } from "./outcome.ts";
import type { LineOf } from "./quirks.ts";
import { declaredField, declaresAnywhere } from "./schema-node.ts";
import type { KindSchema } from "./schema-tree.ts";
import { lookUpSchema } from "./schema-tree.ts";
import type { Entry, SourceLine } from "./source-line.ts";
import { shapeOf } from "./source-line.ts";
import { readStrictYaml } from "./strict-yaml.ts";

/** What came of a block, and how many of its lines are spent. */
export interface BlockResult {
  readonly outcome: ImportOutcome;
  readonly used: number;
}

/** `apiVersion: x` with one more line is a mention in a sentence. */
const MENTION_LINES = 2;

export function repairDocument(block: Block, repairs: readonly Repair[]): BlockResult {
  const { lines } = block;
  const first = lines[0] as SourceLine;
  const base = shapeOf(first).indent;
  const apiVersion = headerField(lines, base, "apiVersion");
  const kind = headerField(lines, base, "kind");
  if (apiVersion === undefined || kind === undefined) {
    if (lines.length <= MENTION_LINES) return { outcome: NOTHING, used: 1 };
    const missing = kind === undefined ? "kind" : "apiVersion";
    const message = `what begins here is no resource: it has no ${missing}`;
    return { outcome: skip("RAMPART_E_KIND_UNKNOWN", first.number, message), used: lines.length };
  }
  if (isListKind(kind)) return repairStrict(block, base, undefined, repairs);
  const schema = lookUpSchema(apiVersion, kind);
  if (schema === undefined) return { outcome: skipKind(apiVersion, kind, first.number), used: lines.length };
  if (!isFlat(lines, base, schema)) return repairStrict(block, base, schema, repairs);

  const flat = readFlatLines({ lines, root: schema.root, textFollows: block.textFollows });
  if (!flat.ok) {
    const message = `${schema.name}: the indentation is lost and cannot be rebuilt: ${flat.message}`;
    return { outcome: skip("RAMPART_E_IMPORT_NESTING", flat.line, message), used: lines.length };
  }
  const used = lines.slice(0, flat.used);
  const message = "the indentation is lost; the nesting was rebuilt from the fields of the kind";
  const rebuilt: Repair = { code: "RAMPART_W_REPAIR_INDENTATION", line: first.number, message };
  const outcome = finishDocument({
    value: flat.value,
    line: first.number,
    lineOf: lineByKey(lines),
    repairs: [...repairs, ...respacing(used), rebuilt, ...flat.repairs, ...cutShort(used, block)],
  });
  return { outcome, used: flat.used };
}

function repairStrict(
  block: Block,
  base: number,
  schema: KindSchema | undefined,
  repairs: readonly Repair[],
): BlockResult {
  const { lines } = block;
  const first = lines[0] as SourceLine;
  const end = schema === undefined ? { used: lines.length, repairs: [] } : documentEnd(lines, base, schema);
  if ("damaged" in end) {
    const text = JSON.stringify(clip(end.damaged.text.trim()));
    const message = `${schema?.name}: ${text} is not indented as a field of the document`;
    return { outcome: skip("RAMPART_E_IMPORT_NESTING", end.damaged.number, message), used: lines.length };
  }
  const own = lines.slice(0, end.used);
  const read = readStrictYaml(own, base);
  if (!read.ok) return { outcome: skip("RAMPART_E_YAML_SYNTAX", read.line, read.message), used: lines.length };
  if (!isYamlObject(read.value)) return { outcome: NOTHING, used: end.used };
  const outcome = finishDocument({
    value: read.value,
    line: first.number,
    lineOf: read.lineOf,
    repairs: [...repairs, ...respacing(own), ...end.repairs, ...cutShort(own, block)],
  });
  return { outcome, used: end.used };
}

type DocumentEnd = { readonly used: number; readonly repairs: readonly Repair[] } | { readonly damaged: SourceLine };

/**
 * A line at the margin that is no field of the root ends the document, unless
 * fields of the root follow it. Right under the document it must read like
 * prose: what has only lost its own indentation is damage.
 */
function documentEnd(lines: readonly SourceLine[], base: number, schema: KindSchema): DocumentEnd {
  const isRootField = ({ key, dashes }: Entry): boolean =>
    key !== undefined && dashes === 0 && (key === "status" || declaredField(schema.root, key) !== undefined);
  const last = lines.findLastIndex((line) => {
    const shape = shapeOf(line);
    return shape.shape === "entry" && shape.indent === base && isRootField(shape.entry);
  });
  let opensList = false;
  for (let at = last; at < lines.length; at++) {
    const line = lines[at] as SourceLine;
    const shape = shapeOf(line);
    if (shape.shape !== "entry") continue;
    if (at === last) opensList = shape.entry.raw === "" && rootIsList(schema, shape.entry.key);
    if (shape.indent !== base || at === last || (opensList && shape.entry.dashes > 0)) continue;
    const { key } = shape.entry;
    const blankBefore = lines.slice(last, at).some((before) => shapeOf(before).shape === "blank");
    if (!blankBefore && (key === undefined || declaresAnywhere(schema.root, key))) return { damaged: line };
    const message = `the document is read as ending before ${JSON.stringify(clip(line.text.trim()))}`;
    return { used: at, repairs: blankBefore ? [] : [{ code: "RAMPART_W_REPAIR_END", line: line.number, message }] };
  }
  return { used: lines.length, repairs: [] };
}

function rootIsList(schema: KindSchema, key: string | undefined): boolean {
  return key !== undefined && schema.root.fields[key]?.type === "list";
}

/** `metadata:` or `spec:` has nothing of its own, and what should be in it stands beside it. */
export function isFlat(lines: readonly SourceLine[], base: number, { root }: KindSchema): boolean {
  const shapes = lines.map(shapeOf).filter(({ shape }) => shape !== "comment" && shape !== "blank");
  return shapes.some((shape, at) => {
    if (shape.shape !== "entry" || shape.indent !== base) return false;
    const { key, raw } = shape.entry;
    if ((key !== "metadata" && key !== "spec") || (raw !== "" && !raw.startsWith("#"))) return false;
    const next = shapes[at + 1];
    if (next?.shape !== "entry" || next.indent !== base || next.entry.key === undefined) return false;
    return declaredField(root, next.entry.key) === undefined;
  });
}

/** The one word after a key of the document itself; `base` is its indentation. */
export function headerField(lines: readonly SourceLine[], base: number, key: string): string | undefined {
  const text = rootField(lines, base, key)?.raw.replace(/\s#.*$/, "").replaceAll(/^["']|["']$/g, "");
  return text === "" ? undefined : text;
}

/** The line with a key of the document itself. */
export function rootField(lines: readonly SourceLine[], base: number, key: string): Entry | undefined {
  for (const line of lines) {
    const shape = shapeOf(line);
    if (shape.shape !== "entry" || shape.indent !== base) continue;
    if (shape.entry.key === key && shape.entry.dashes === 0) return shape.entry;
  }
  return undefined;
}

/** The line of the first field of that name: exact enough to point at what was repaired. */
export function lineByKey(lines: readonly SourceLine[]): LineOf {
  return (path) => {
    const key = path.findLast((step) => typeof step === "string");
    const line = lines.find((candidate) => {
      const shape = shapeOf(candidate);
      return shape.shape === "entry" && shape.entry.key === key;
    });
    return (line ?? (lines[0] as SourceLine)).number;
  };
}

/** Text right after a key without a value may have cut the document short, which would widen a rule. */
function cutShort(used: readonly SourceLine[], { lines, textFollows }: Block): Repair[] {
  const last = used.at(-1) as SourceLine;
  const shape = shapeOf(last);
  if (!textFollows || used.length < lines.length || shape.shape !== "entry" || shape.entry.raw !== "") return [];
  const text = JSON.stringify(last.text.trim());
  const message = `the document ends with ${text} and prose follows; check that nothing is missing`;
  return [{ code: "RAMPART_W_REPAIR_END", line: last.number, message }];
}

/** What was made a space, if the lines had such a character. */
export function respacing(lines: readonly SourceLine[]): Repair[] {
  const line = lines.find(({ respaced }) => respaced);
  if (line === undefined) return [];
  const message = "tabs, no-break spaces or invisible characters were replaced";
  return [{ code: "RAMPART_W_REPAIR_WHITESPACE", line: line.number, message }];
}
