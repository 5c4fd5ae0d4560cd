/**
 * A settings file as YAML 1.2 with the place of every key: reading it either
 * gives plain data or RampartErrors that point at a line and a column.
 */
import type { Document, Node, Pair } from "yaml";
import { CST, isMap, isNode, isPair, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser } from "yaml";
import type { SourceLocation } from "../errors/rampart-error.ts";
import { RampartError } from "../errors/rampart-error.ts";

export interface SettingsDocument {
  /** Plain data; keys left empty are absent. */
  readonly data: unknown;
  /** Place of the value at `path`, or of the closest thing above it that exists. */
  locate(path: readonly PropertyKey[]): SourceLocation;
  /** Place of the key itself. */
  locateKey(path: readonly PropertyKey[]): SourceLocation;
}

/** @throws RampartError RAMPART_E_CONFIG at the first place that is not YAML, or that has aliases or two documents. */
export function readSettingsDocument(text: string, file: string): SettingsDocument {
  const lines = new LineCounter();
  const at = (offset: number): SourceLocation => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const deep = tooDeep(text);
  if (deep !== undefined) {
    throw new RampartError("RAMPART_E_CONFIG", `nested deeper than ${MAX_DEPTH} levels`, {
      location: locationIn(text, deep, file),
      hint: "no setting needs this depth; check the indentation and the brackets",
    });
  }
  // What the package only warns about, a mapping as a key, our own errors say better.
  const options = { lineCounter: lines, version: "1.2", merge: false, prettyErrors: false, logLevel: "error" } as const;
  const document = parseDocument(text, options);
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    throw new RampartError("RAMPART_E_CONFIG", `not valid YAML: ${syntax.message}`, {
      location: at(syntax.pos[0]),
      hint: "settings are one YAML 1.2 mapping; check indentation, quotes and brackets near this place",
    });
  }
  return {
    data: plainData(document, at),
    locate: (path) => at(startOf(find(document, path).value) ?? 0),
    locateKey: (path) => at(startOf(find(document, path).key) ?? 0),
  };
}

function locationIn(text: string, offset: number, file: string): SourceLocation {
  const before = text.slice(0, offset).split("\n");
  return { file, line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

/** Levels; settings need four. Keys that are mappings, each in the next, take the package minutes at some hundreds. */
const MAX_DEPTH = 8;
/** What the parser's stack holds besides collections: the document, and a scalar. */
const STACKED_OTHERS = 2;

/** Offset of what nests too deep, found before anything recursive looks at the text; undefined if nothing does. */
function tooDeep(text: string): number | undefined {
  const parser = new Parser();
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (parser.stack.length > MAX_DEPTH + STACKED_OTHERS) return offset;
    if (lexeme !== CST.DOCUMENT && lexeme !== CST.SCALAR && lexeme !== CST.FLOW_END) offset += lexeme.length;
    // Its tokens are not needed, only how deep they are.
    for (const _token of parser.next(lexeme));
  }
  return undefined;
}

function plainData(document: Document.Parsed, at: (offset: number) => SourceLocation): unknown {
  try {
    // Settings have no use for aliases, and refusing them all leaves no room for an alias bomb.
    return withoutEmpty(document.toJS({ maxAliasCount: 0 }) as unknown);
  } catch (cause) {
    throw new RampartError("RAMPART_E_CONFIG", "YAML aliases (*name) are not allowed in the settings file", {
      location: at(0),
      hint: "write the value out where it is used",
      cause,
    });
  }
}

/** `queue:` with every key below it commented out is null in YAML and means: defaults. */
function withoutEmpty(value: unknown): unknown {
  if (value === null || value === undefined) return {};
  if (typeof value !== "object" || Array.isArray(value)) return value;
  const filled = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(filled.map(([key, child]) => [key, withoutEmpty(child)]));
}

function find(document: Document.Parsed, path: readonly PropertyKey[]): { key: unknown; value: unknown } {
  let key: unknown = document.contents;
  let value: unknown = document.contents;
  for (const step of path) {
    let child: Pair | Node | null | undefined;
    if (isMap(value)) child = value.items.find((pair) => isScalar(pair.key) && pair.key.value === step);
    else if (isSeq(value) && typeof step === "number") child = value.items[step] as Node | undefined;
    if (isPair(child)) {
      key = child.key;
      value = child.value ?? child.key;
    } else if (child !== undefined) {
      key = child;
      value = child;
    } else {
      break;
    }
  }
  return { key, value };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
