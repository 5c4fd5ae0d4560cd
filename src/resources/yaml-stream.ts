/**
 * A file's text as a stream of documents, YAML 1.2 core schema whatever the
 * file's own directives say. The `yaml` package composes nodes recursively, so
 * nothing deeper than the limit is ever handed to its composer.
 */
import { Composer, CST, isScalar, Lexer, LineCounter, Parser } from "yaml";
import type { Document, Node } from "yaml";
import type { Diagnostics } from "./diagnostics.ts";
import type { LoadLimits } from "./load-limits.ts";
import type { SourceText } from "./yaml-document.ts";
import { locate, YamlDocument } from "./yaml-document.ts";
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
 * or exceeds a limit, its errors reported to `diagnostics`.
 */
export function* readYamlStream(
  file: string,
  text: string,
  limits: LoadLimits,
  diagnostics: Diagnostics,
): Generator<YamlDocument | "unreadable"> {
  const source: SourceText = { file, text, lines: new LineCounter() };
  try {
    for (const document of composeDocuments(source, limits)) {
      const content = readDocument(document, source, limits, diagnostics);
      if (content !== undefined) yield content;
    }
  } catch (cause) {
    if (cause instanceof YamlProblem) {
      diagnostics.error(cause.code, cause.message, locate(source, cause.offset), cause.hint);
    } else {
      // A defect of the parser must not take the daemon down with the file.
      const message = `the YAML parser failed: ${cause instanceof Error ? cause.message : String(cause)}`;
      diagnostics.error("RAMPART_E_YAML_SYNTAX", message, locate(source, 0), "check the file with another YAML tool");
    }
    yield "unreadable";
  }
}

/** Throws YamlProblem where the text nests too deep. */
function* composeDocuments(source: SourceText, limits: LoadLimits): Generator<Document.Parsed> {
  source.lines.addNewLine(0);
  const parser = new Parser(source.lines.addNewLine);
  const composer = new Composer(COMPOSE_OPTIONS);
  let offset = 0;
  let flowDepth = 0;
  let lineIndicators = 0;
  for (const lexeme of new Lexer().lex(source.text)) {
    // Brackets and `- - -` nest without indentation: a deep one is found before the parser stacks it up.
    if (lexeme === "[" || lexeme === "{") flowDepth++;
    else if (lexeme === "]" || lexeme === "}") flowDepth--;
    else if (lexeme === "\n" || lexeme === "\r\n") lineIndicators = 0;
    else if (flowDepth <= 0 && (lexeme === "-" || lexeme === "?" || lexeme === ":")) lineIndicators++;
    if (flowDepth > limits.depth || lineIndicators > limits.depth) throw tooDeep(limits, offset);
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
  diagnostics: Diagnostics,
): YamlDocument | "unreadable" | undefined {
  // The package only warns about tags and directives it does not know, and then guesses.
  const problems = [...document.errors, ...document.warnings];
  // What is missing at the end of the file is missed after its last character, not on the line after it.
  for (const problem of problems.slice(0, SYNTAX_ERRORS_PER_DOCUMENT)) {
    diagnostics.error(
      "RAMPART_E_YAML_SYNTAX",
      `not valid YAML: ${problem.message}`,
      locate(source, Math.min(problem.pos[0], source.text.trimEnd().length)),
      "correct the YAML here; indentation and quotes are the usual causes",
    );
  }
  if (problems.length > 0) return "unreadable";
  const root = document.contents as Node | null;
  if (root === null || (isScalar(root) && root.value === null)) return undefined;
  try {
    const reader = new YamlValueReader(limits);
    const value = reader.read(root);
    return new YamlDocument(source, root, value, reader.aliasTargets);
  } catch (cause) {
    if (!(cause instanceof YamlProblem)) throw cause;
    diagnostics.error(cause.code, cause.message, locate(source, cause.offset), cause.hint);
    return "unreadable";
  }
}
