/**
 * A run of lines without indentation, nested again by the schema, up to where
 * the text around it goes on. It ends only at a line that reads like prose and
 * has nothing fitting after it; anything else that fits nowhere is damage, and
 * damaged lines are refused: leaving one out could widen a rule.
 */
import type { YamlObject } from "../resources/yaml-value.ts";
import type { Repair } from "./outcome.ts";
import { Renesting } from "./renest.ts";
import type { Doubt, EntryOrigins, Placement } from "./renest.ts";
import type { MapNode } from "./schema-node.ts";
import type { Entry, SourceLine } from "./source-line.ts";
import { shapeOf } from "./source-line.ts";

export type FlatLines =
  | {
      readonly ok: true;
      readonly value: YamlObject;
      readonly origins: EntryOrigins;
      /** How many of the lines were used. */
      readonly used: number;
      readonly repairs: readonly Repair[];
    }
  | { readonly ok: false; readonly line: number; readonly message: string };

interface FlatInput {
  readonly lines: readonly SourceLine[];
  readonly root: MapNode;
  /** Prose goes on right after the lines. */
  readonly textFollows: boolean;
}

/** Lines after a misfit that are searched for a field: prose has none. */
const PROSE_LOOKAHEAD = 50;

export function readFlatLines({ lines, root, textFollows }: FlatInput): FlatLines {
  const renesting = new Renesting(root);
  const repairs: Repair[] = [];
  const base = shapeOf(lines[0] as SourceLine).indent;
  let afterBlank = false;
  let lastUsed = 0;
  for (const [at, line] of lines.entries()) {
    const shape = shapeOf(line);
    if (shape.shape === "blank") afterBlank = true;
    if (shape.shape === "blank" || shape.shape === "comment") continue;
    const entry = shape.shape === "entry" && shape.indent === base ? shape.entry : undefined;
    const placement = entry === undefined ? undefined : renesting.place(entry);
    if (entry !== undefined && placement?.fits === true && placement.rest === "") {
      placement.commit();
      if (placement.doubt !== undefined) repairs.push(doubtful(entry, placement.doubt));
      afterBlank = false;
      lastUsed = at + 1;
      continue;
    }
    const proseFollows = textFollows || lines.slice(at + 1).some(isProse);
    const isProseHere = entry !== undefined && isProseEntry(entry, placement, proseFollows);
    const ends = afterBlank || (isProseHere && !fieldsFollow(lines, at, renesting));
    if (!ends) return { ok: false, line: line.number, message: damage(line, shape.indent === base, placement) };
    const text = JSON.stringify(clip(line.text.trim()));
    const message = `the document is read as ending before ${text}, which fits nowhere in it`;
    repairs.push({ code: "RAMPART_W_REPAIR_END", line: line.number, message });
    break;
  }
  const { value, origins } = renesting;
  return { ok: true, value, origins, used: lastUsed, repairs };
}

/** What could have been meant otherwise is said, so that a person looks at it. */
export function doubtful({ key, dashes, line }: Entry, doubt: Doubt): Repair {
  if (doubt === "label") {
    const message = `"${key}" is read as the field of that name, not as one more label`;
    return { code: "RAMPART_W_REPAIR_LABEL", line, message };
  }
  const what = key === undefined ? "the item" : `${dashes > 0 ? "the item with " : ""}"${key}"`;
  const message = `${what} is read as belonging to what stands nearest before it; check that it does`;
  return { code: "RAMPART_W_REPAIR_DOUBT", line, message };
}

function isProseEntry(entry: Entry, placement: Placement | undefined, proseFollows: boolean): boolean {
  if (entry.key === undefined) return looksLikeSentence(entry.raw);
  if (placement === undefined || placement.fits) return false;
  if (placement.misfit === "unknown") return /^[A-Z]/.test(entry.key);
  return placement.misfit === "elsewhere" && proseFollows;
}

/** A field among the lines right after would be lost with them. */
function fieldsFollow(lines: readonly SourceLine[], at: number, renesting: Renesting): boolean {
  for (const line of lines.slice(at + 1, at + 1 + PROSE_LOOKAHEAD)) {
    const shape = shapeOf(line);
    if (shape.shape === "blank") return false;
    if (shape.shape !== "entry" || shape.entry.key === undefined) continue;
    const placement = renesting.place(shape.entry);
    if (placement.fits && placement.rest === "") return true;
  }
  return false;
}

function isProse(line: SourceLine): boolean {
  const shape = shapeOf(line);
  if (shape.shape === "text") return true;
  return shape.shape === "entry" && shape.entry.key === undefined && looksLikeSentence(shape.entry.raw);
}

/** Several words, or a script that no name, port or address is written in. */
function looksLikeSentence(text: string): boolean {
  return /^[^{["'].*\s\S/.test(text) || /[^\u0020-\u007e]/.test(text);
}

function damage(line: SourceLine, indented: boolean, placement: Placement | undefined): string {
  const text = JSON.stringify(clip(line.text.trim()));
  if (!indented) return `${text} is indented and lines before it are not, so their nesting cannot be told`;
  if (placement === undefined) return `${text} is no field`;
  if (placement.fits) return `${text} goes on with ${JSON.stringify(clip(placement.rest))} after its value`;
  const reasons = {
    unknown: "is no field of this kind",
    repeated: "is there already",
    elsewhere: "belongs to nothing that is open here",
    value: "has a value its field cannot hold",
    item: "is an item of no list that is open here",
  };
  return `${text} ${reasons[placement.misfit]}`;
}

export function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
