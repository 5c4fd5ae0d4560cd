/**
 * Candidate blocks of YAML between the lines of an article. A block reaches as
 * far as its lines could be YAML; what of it really belongs to the resource is
 * decided by whoever knows the kind, and the search goes on after that.
 */
import type { SourceLine } from "./source-line.ts";
import { shapeOf } from "./source-line.ts";

export interface Block {
  readonly type:
    /** From `apiVersion:` or `kind:` on. */
    | "document"
    /** A whole document on one line. */
    | "stream"
    /** The inside of a Kubernetes NetworkPolicy's `spec`. */
    | "spec"
    /** Calico rules that stand alone. */
    | "rules"
    /** Something else out of a policy. */
    | "part";
  readonly lines: readonly SourceLine[];
  /** The line after the block is prose, with no blank line between. */
  readonly textFollows: boolean;
}

/** Together on one line they are a document that lost its line breaks. */
const STREAM_KEYS = [/(?:^|\s)apiVersion:\s/, /(?:^|\s)kind:\s/];
const HEADER_KEYS = ["apiVersion", "kind"];
/** Lines, comments and blanks, between one header field and the next. */
const MAX_HEADER_GAP = 5;
const SPEC_KEYS = ["spec", "podSelector", "policyTypes", "ingress", "egress"];
const PART_KEYS = [
  "action",
  "destination",
  "egress",
  "endpointSelector",
  "from",
  "fromEndpoints",
  "ingress",
  "ipBlock",
  "matchExpressions",
  "matchLabels",
  "namespaceSelector",
  "podSelector",
  "source",
  "to",
  "toEndpoints",
  "toPorts",
];
/** Nothing outside of comments and descriptions is written in another script. */
const NOT_ASCII = /[^\u0020-\u007e]/;
const BLOCK_SCALAR = /(?:^|\s)[|>][-+\d]{0,2}$/;
const BULLET = /^\s*[•‣◦·▪●–—*]/;

/** The first block that begins at line `from` or later, and where. */
export function nextBlock(lines: readonly SourceLine[], from: number): { block: Block; at: number } | undefined {
  for (let at = from; at < lines.length; at++) {
    const type = typeAt(lines[at] as SourceLine);
    if (type !== undefined) return { block: blockAt(lines, at, type), at };
  }
  return undefined;
}

function typeAt(line: SourceLine): Block["type"] | undefined {
  const shape = shapeOf(line);
  if (shape.shape === "comment") return undefined;
  if (STREAM_KEYS.every((key) => key.test(line.text))) return "stream";
  if (shape.shape !== "entry" || shape.entry.key === undefined) return undefined;
  const { dashes, key, raw } = shape.entry;
  if (dashes === 0 && HEADER_KEYS.includes(key)) return /^\S+(?:\s+#.*)?$/.test(raw) ? "document" : undefined;
  if (dashes === 0 && SPEC_KEYS.includes(key)) return "spec";
  if (dashes === 1 && key === "action") return "rules";
  return PART_KEYS.includes(key) && !NOT_ASCII.test(line.text) ? "part" : undefined;
}

function blockAt(lines: readonly SourceLine[], start: number, type: Block["type"]): Block {
  if (type === "stream") return { type, lines: lines.slice(start, start + 1), textFollows: false };
  const taken: SourceLine[] = [];
  const base = shapeOf(lines[start] as SourceLine).indent;
  const headers = new Set<string>();
  let scalarIndent = -1;
  let openBrackets = 0;
  let at = start;
  for (; at < lines.length; at++) {
    const line = lines[at] as SourceLine;
    const shape = shapeOf(line);
    if (scalarIndent >= 0) {
      if (shape.shape === "blank" || shape.indent > scalarIndent) {
        taken.push(line);
        continue;
      }
      scalarIndent = -1;
    }
    if (shape.shape === "separator") break;
    // A bracket that never closes must not take the documents after it along.
    if (shape.shape === "entry" && shape.indent <= base) openBrackets = 0;
    if (openBrackets > 0 && shape.shape !== "blank") {
      openBrackets += bracketBalance(line.text);
      taken.push(line);
      continue;
    }
    if (shape.shape === "blank" && type !== "document") break;
    if (shape.shape === "text" && !continuesScalar(lines, at, base)) break;
    if (shape.shape === "entry") {
      if (shape.indent < base) break;
      const { dashes, key, raw } = shape.entry;
      const foreign = type !== "document" && at > start && NOT_ASCII.test(line.text);
      if (foreign && (type === "part" || key === undefined)) break;
      if (key !== undefined && dashes === 0 && shape.indent === base && HEADER_KEYS.includes(key)) {
        if (type !== "document" || (headers.has(key) && headerFollows(lines, at))) break;
        headers.add(key);
      }
      if (BLOCK_SCALAR.test(raw)) scalarIndent = shape.indent;
      if (/^[[{]/.test(raw)) openBrackets = Math.max(0, bracketBalance(raw));
    }
    taken.push(line);
  }
  const ended = lines[at];
  const last = taken.at(-1) as SourceLine;
  const textFollows = ended !== undefined && shapeOf(ended).shape === "text" && shapeOf(last).shape !== "blank";
  return { type, lines: withoutTail(taken), textFollows };
}

/** With its indentation lost, a `kind:` alone may be a field of something inside. */
function headerFollows(lines: readonly SourceLine[], at: number): boolean {
  const next = lines.slice(at + 1, at + 1 + MAX_HEADER_GAP).map(shapeOf);
  const entry = next.find(({ shape }) => shape !== "comment" && shape !== "blank");
  if (entry?.shape !== "entry" || entry.entry.dashes > 0) return false;
  return HEADER_KEYS.includes(entry.entry.key ?? "") || entry.entry.key === "metadata";
}

/** Text right under an entry and deeper than the block goes on with a value of several lines. */
function continuesScalar(lines: readonly SourceLine[], at: number, base: number): boolean {
  const line = lines[at] as SourceLine;
  const before = lines[at - 1];
  if (before === undefined || shapeOf(line).indent <= base || BULLET.test(line.text)) return false;
  return shapeOf(before).shape === "entry" || shapeOf(before).shape === "text";
}

/** Without the blank lines and comments at the end. */
function withoutTail(lines: readonly SourceLine[]): SourceLine[] {
  const last = lines.findLastIndex((line) => !["blank", "comment"].includes(shapeOf(line).shape));
  return lines.slice(0, last + 1);
}

function bracketBalance(text: string): number {
  const unquoted = text.replaceAll(/"(?:[^"\\]|\\.)*"|'[^']*'/g, "").replace(/\s#.*$/, "");
  return unquoted.replaceAll(/[^[{]/g, "").length - unquoted.replaceAll(/[^\]}]/g, "").length;
}
