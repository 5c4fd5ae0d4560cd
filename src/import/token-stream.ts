/**
 * Documents whose line breaks are gone: `cat x.yaml apiVersion: v1 kind: Pod
 * metadata: name: x` (SEMANTICS 0.2). The line is cut into words, quoted texts
 * and bracketed values; a word that ends in a colon is a key, `-` alone begins
 * an item.
 */
import { quotedEnd } from "./field-value.ts";
import type { Entry } from "./source-line.ts";

interface Token {
  readonly type: "key" | "dash" | "separator" | "comment" | "value";
  readonly start: number;
  readonly end: number;
}

/** One document of the line. */
export interface TokenDocument {
  readonly entries: readonly Entry[];
  /** Texts after a `#`, which had no line to end with. */
  readonly comments: readonly string[];
}

export interface TokenStream {
  /** What stands before the first document, such as the command that printed it. */
  readonly prefix: string;
  readonly documents: readonly TokenDocument[];
}

/** Characters; brackets that never close must not be followed to the end of the line from each of them. */
const MAX_BRACKETED = 10_000;
const NEEDED_KEYS = [/(?:^|\s)apiVersion:\s/, /(?:^|\s)kind:\s/, /(?:^|\s)metadata:\s/];

/** undefined: not a document on one line. */
export function readTokenStream(text: string, line: number): TokenStream | undefined {
  if (NEEDED_KEYS.some((key) => !key.test(text))) return undefined;
  const start = /(?:^|\s)(?:apiVersion|kind):\s/.exec(text)?.index ?? 0;
  const body = text.slice(start);
  const documents: TokenDocument[] = [];
  let tokens: Token[] = [];
  for (const token of [...tokenise(body), undefined]) {
    if (token !== undefined && token.type !== "separator") {
      tokens.push(token);
      continue;
    }
    if (tokens.length > 0) documents.push(readDocument(tokens, body, line));
    tokens = [];
  }
  return { prefix: text.slice(0, start).trim(), documents };
}

function readDocument(tokens: readonly Token[], body: string, line: number): TokenDocument {
  const entries: Entry[] = [];
  const comments: string[] = [];
  for (let at = 0; at < tokens.length; ) {
    const from = at;
    if ((tokens[at] as Token).type === "comment") {
      at = commentEnd(tokens, at);
      comments.push(textOf(tokens.slice(from, at), body));
      continue;
    }
    let dashes = 0;
    for (; tokens[at]?.type === "dash"; at++) dashes++;
    const key = tokens[at]?.type === "key" ? (tokens[at++] as Token) : undefined;
    const valueFrom = at;
    while (tokens[at]?.type === "value") at++;
    const raw = textOf(tokens.slice(valueFrom, at), body);
    entries.push({ line, dashes, key: key === undefined ? undefined : body.slice(key.start, key.end - 1), raw });
  }
  return { entries, comments };
}

/**
 * A comment runs to the next key, or to the next item that begins with one. A
 * key right after the `#` is a field that was commented out, with its value.
 */
function commentEnd(tokens: readonly Token[], start: number): number {
  let at = start + 1;
  if (tokens[at]?.type === "key") at++;
  else if (tokens[at]?.type === "dash" && tokens[at + 1]?.type === "key") at += 2;
  for (; at < tokens.length; at++) {
    const type = (tokens[at] as Token).type;
    if (type === "key" || (type === "dash" && tokens[at + 1]?.type === "key")) return at;
  }
  return at;
}

function textOf(tokens: readonly Token[], body: string): string {
  const first = tokens[0];
  return first === undefined ? "" : body.slice(first.start, (tokens.at(-1) as Token).end);
}

function* tokenise(body: string): Generator<Token> {
  const blank = /\s/;
  for (let at = 0; at < body.length; ) {
    if (blank.test(body[at] as string)) {
      at++;
      continue;
    }
    const end = tokenEnd(body, at);
    const text = body.slice(at, end);
    yield { type: typeOf(text), start: at, end };
    at = end;
  }
}

function typeOf(text: string): Token["type"] {
  if (text === "-") return "dash";
  if (text === "---") return "separator";
  if (text.startsWith("#")) return "comment";
  return /^[A-Za-z0-9_][A-Za-z0-9_./:-]*:$/.test(text) ? "key" : "value";
}

function tokenEnd(body: string, start: number): number {
  const char = body[start];
  let grouped: number | undefined;
  if (char === '"' || char === "'") grouped = quotedEnd(body, start);
  else if (char === "{" || char === "[") grouped = bracketEnd(body, start);
  if (grouped !== undefined) return grouped;
  const space = /\s/g;
  space.lastIndex = start;
  return space.exec(body)?.index ?? body.length;
}

function bracketEnd(body: string, start: number): number | undefined {
  const limit = Math.min(body.length, start + MAX_BRACKETED);
  let depth = 0;
  for (let at = start; at < limit; at++) {
    const char = body[at];
    if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return at + 1;
  }
  return undefined;
}
