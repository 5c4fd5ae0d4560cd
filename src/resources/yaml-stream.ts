/**
 * A file's text as a stream of documents, YAML 1.2 core schema whatever the
 * file's own directives say.
 *
 *   text -> document-split -> plain-yaml, or else the `yaml` package
 *
 * The package composes nodes recursively, so nothing deeper than the limit is
 * ever handed to its composer.
 */
import { Composer, CST, isScalar, Lexer, Parser } from "yaml";
import type { Document, Node } from "yaml";
import type { Diagnostics } from "./diagnostics.ts";
import type { TextPiece } from "./document-split.ts";
import { splitDocuments } from "./document-split.ts";
import type { LoadLimits } from "./load-limits.ts";
import type { NestingRebuilder } from "./lost-nesting.ts";
import { hasLostNesting } from "./lost-nesting.ts";
import { placeNodes } from "./placed-node.ts";
import { readPlainYaml } from "./plain-yaml.ts";
import { SourceText } from "./source-text.ts";
import { YamlDocument } from "./yaml-document.ts";
import { YamlProblem, YamlValueReader } from "./yaml-value.ts";

/** Later errors of one document are mostly consequences of the first. */
const SYNTAX_ERRORS_PER_DOCUMENT = 3;

const COMPOSE_OPTIONS = {
  version: "1.2",
  schema: "core",
  merge: false,
  strict: true,
  // YamlValueReader looks for duplicates; the package compares every pair of keys.
  uniqueKeys: false,
  logLevel: "silent",
} as const;

/**
 * Yields every document with content; "unreadable" for one that is not YAML
 * or exceeds a limit, its errors reported to `diagnostics`. With `rebuild`, a
 * document whose indentation is lost is nested anew, and that is reported too.
 */
export function* readYamlStream(
  file: string,
  text: string,
  limits: LoadLimits,
  diagnostics: Diagnostics,
): Generator<YamlDocument | "unreadable"> {
  for (const piece of splitDocuments(text)) {
    for (const read of readYamlPiece(file, piece, limits, diagnostics)) {
      yield read === "unreadable, as all after it" ? "unreadable" : read;
      if (read === "unreadable, as all after it") return;
    }
  }
}

/** As `readYamlStream`, of one piece of a file. */
export function* readYamlPiece(
  file: string,
  piece: TextPiece,
  limits: LoadLimits,
  diagnostics: Diagnostics,
  rebuild?: NestingRebuilder,
): Generator<YamlDocument | "unreadable" | "unreadable, as all after it"> {
  const source = new SourceText(file, piece.text, piece.line);
  let first = true;
  for (const read of readSource(source, limits)) {
    const lost = first && (!(read instanceof YamlDocument) || hasLostNesting(read.value));
    const rebuilt = lost && rebuild !== undefined ? rebuildDocument(source, rebuild, diagnostics) : undefined;
    first = false;
    if (rebuilt !== undefined) {
      yield rebuilt;
      return;
    }
    if (read instanceof YamlDocument) {
      yield read;
      continue;
    }
    for (const { code, message, offset, hint } of read.problems) {
      diagnostics.error(code, message, source.locate(offset), hint);
    }
    yield read.endsFile ? "unreadable, as all after it" : "unreadable";
  }
}

/** What could not be read. */
interface Unreadable {
  readonly problems: readonly YamlProblem[];
  /** The rest of the file is not read either. */
  readonly endsFile: boolean;
}

function* readSource(source: SourceText, limits: LoadLimits): Generator<YamlDocument | Unreadable> {
  const plain = readPlainYaml(source.text, limits.depth);
  if (plain === "empty") return;
  if (plain !== "unknown") {
    yield new YamlDocument(source, plain.value, plain.root);
    return;
  }
  try {
    for (const document of composeDocuments(source.text, limits)) {
      const read = readDocument(document, source, limits);
      if (read !== undefined) yield read;
    }
  } catch (cause) {
    if (cause instanceof YamlProblem) {
      yield { problems: [cause], endsFile: true };
    } else {
      // A defect of the parser must not take the daemon down with the file.
      const message = `the YAML parser failed: ${cause instanceof Error ? cause.message : String(cause)}`;
      const hint = "check the file with another YAML tool";
      yield { problems: [new YamlProblem("RAMPART_E_YAML_SYNTAX", message, 0, hint)], endsFile: false };
    }
  }
}

/** What the parser's stack holds besides collections: the document, and a scalar. */
const STACKED_OTHERS = 2;

/** Throws YamlProblem where the text nests too deep. */
function* composeDocuments(text: string, limits: LoadLimits): Generator<Document.Parsed> {
  const parser = new Parser();
  const composer = new Composer(COMPOSE_OPTIONS);
  let offset = 0;
  let flowDepth = 0;
  let lineIndicators = 0;
  for (const lexeme of new Lexer().lex(text)) {
    // Brackets and `- - -` nest without indentation: a deep one is found before the parser stacks it up.
    if (lexeme === "[" || lexeme === "{") flowDepth++;
    else if (lexeme === "]" || lexeme === "}") flowDepth--;
    else if (lexeme === "\n" || lexeme === "\r\n") lineIndicators = 0;
    else if (flowDepth <= 0 && (lexeme === "-" || lexeme === "?" || lexeme === ":")) lineIndicators++;
    // After a bracket that is never closed the parser goes back to `a: b: c` without the lexer's knowing.
    const stacked = parser.stack.length - STACKED_OTHERS;
    if (Math.max(flowDepth, lineIndicators, stacked) > limits.depth) throw tooDeep(limits, offset);
    if (lexeme !== CST.DOCUMENT && lexeme !== CST.SCALAR && lexeme !== CST.FLOW_END) offset += lexeme.length;
    for (const token of parser.next(lexeme)) yield* composeToken(composer, token, limits);
  }
  for (const token of parser.end()) yield* composeToken(composer, token, limits);
  yield* composer.end() as Generator<Document.Parsed>;
}

function composeToken(composer: Composer, token: CST.Token, limits: LoadLimits): Generator<Document.Parsed> {
  if (token.type === "document" && token.value !== undefined) checkDepth(token.value, limits);
  return composer.next(token) as Generator<Document.Parsed>;
}

function checkDepth(root: CST.Token, limits: LoadLimits): void {
  const open: { token: CST.Token; depth: number }[] = [{ token: root, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (!CST.isCollection(token)) continue;
    if (depth > limits.depth) throw tooDeep(limits, token.offset);
    for (const item of token.items) {
      if (item.key) open.push({ token: item.key, depth: depth + 1 });
      if (item.value) open.push({ token: item.value, depth: depth + 1 });
    }
  }
}

function tooDeep(limits: LoadLimits, offset: number): YamlProblem {
  return new YamlProblem(
    "RAMPART_E_YAML_LIMIT",
    `nested deeper than ${limits.depth} levels; the rest of the file was not read`,
    offset,
    "no resource needs this depth; check the indentation and the brackets",
  );
}

function readDocument(
  document: Document.Parsed,
  source: SourceText,
  limits: LoadLimits,
): YamlDocument | Unreadable | undefined {
  // The package only warns about tags and directives it does not know, and then guesses.
  const found = [...document.errors, ...document.warnings];
  if (found.length > 0) {
    // What is missing at the end is missed after the last character, not on the line after it.
    const last = source.text.trimEnd().length;
    const hint = "correct the YAML here; indentation and quotes are the usual causes";
    const problems = found.slice(0, SYNTAX_ERRORS_PER_DOCUMENT).map(({ message, pos }) => {
      const offset = Math.min(pos[0], last);
      return new YamlProblem("RAMPART_E_YAML_SYNTAX", `not valid YAML: ${message}`, offset, hint);
    });
    return { problems, endsFile: false };
  }
  const root = document.contents as Node | null;
  if (root === null || (isScalar(root) && root.value === null)) return undefined;
  try {
    const reader = new YamlValueReader(limits);
    const value = reader.read(root);
    return new YamlDocument(source, value, placeNodes(root, reader.aliasTargets));
  } catch (cause) {
    if (!(cause instanceof YamlProblem)) throw cause;
    return { problems: [cause], endsFile: false };
  }
}

/** Its nesting rebuilt, and what there is to say about that reported; undefined if it never lost it. */
function rebuildDocument(
  source: SourceText,
  rebuild: NestingRebuilder,
  diagnostics: Diagnostics,
): YamlDocument | "unreadable" | undefined {
  const rebuilt = rebuild(source.text);
  if (rebuilt === undefined) return undefined;
  if ("problem" in rebuilt) {
    const hint = "indent the fields of each mapping by two columns more than its key; `rampart import` may help";
    diagnostics.error("RAMPART_E_NESTING", rebuilt.problem, source.locate(rebuilt.offset), hint);
    return "unreadable";
  }
  for (const { code, message, offset, yaml } of rebuilt.notes) {
    diagnostics.warn(code, message, source.locate(offset), yaml);
  }
  return new YamlDocument(source, rebuilt.value, rebuilt.root);
}
