/**
 * Where scalars end that stand on one line, and what a quoted one says. What is
 * not certain is NOT_PLAIN (see plain-yaml.ts), which is thrown and no more
 * than that: a document in doubt is read by somebody else.
 */
import {
  APOSTROPHE,
  BACKSLASH,
  BYTE_ORDER_MARK,
  CLOSE_LIST,
  CLOSE_MAP,
  COLON,
  COMMA,
  DASH,
  DELETE,
  HASH,
  NEWLINE,
  OPEN_LIST,
  OPEN_MAP,
  QUOTE,
  SPACE,
  TAB,
} from "./yaml-character.ts";

export const NOT_PLAIN = new Error("not plain YAML");

/** What no plain scalar begins with, or what only some do. */
const INDICATORS = new Set([..."?:,[]{}#&*!|>'\"%@`"].map((char) => char.charCodeAt(0)));

/** 0 at the end of the text. */
export function codeAt(text: string, at: number): number {
  return at < text.length ? text.charCodeAt(at) : 0;
}

export function isQuote(text: string, at: number): boolean {
  const code = codeAt(text, at);
  return code === QUOTE || code === APOSTROPHE;
}

/** Where the scalar that begins at `start` ends, in a block; blanks before what follows it not counted. */
export function blockScalarEnd(text: string, start: number): number {
  if (isQuote(text, start)) return quotedEnd(text, start);
  checkFirst(text, start);
  let end = start;
  for (let at = start; ; at++) {
    const code = codeAt(text, at);
    if (code === NEWLINE || code === 0) return end;
    if (code === SPACE) continue;
    if (code === HASH && end < at) return end;
    if (code === COLON) {
      const next = codeAt(text, at + 1);
      if (next === SPACE || next === NEWLINE || next === TAB || next === 0) return end;
    }
    if (code < SPACE || code === DELETE || code === BYTE_ORDER_MARK) throw NOT_PLAIN;
    end = at + 1;
  }
}

/** The same, in brackets. */
export function flowScalarEnd(text: string, start: number): number {
  if (isQuote(text, start)) return quotedEnd(text, start);
  checkFirst(text, start);
  let end = start;
  for (let at = start; ; at++) {
    const code = codeAt(text, at);
    if (code === COMMA || code === CLOSE_LIST || code === CLOSE_MAP || code === NEWLINE) return end;
    if (code === SPACE) continue;
    if (code === COLON) {
      const next = codeAt(text, at + 1);
      if (next <= SPACE || INDICATORS.has(next)) return end;
    }
    const opens = code === OPEN_LIST || code === OPEN_MAP || code === HASH;
    if (code < SPACE || code === DELETE || code === BYTE_ORDER_MARK || opens) throw NOT_PLAIN;
    end = at + 1;
  }
}

/** The text between the quotes. */
export function quotedText(text: string, start: number, end: number): string {
  const quoted = text.slice(start + 1, end - 1);
  return codeAt(text, start) === APOSTROPHE && quoted.includes("'") ? quoted.replaceAll("''", "'") : quoted;
}

function checkFirst(text: string, start: number): void {
  const code = codeAt(text, start);
  if (code <= SPACE || INDICATORS.has(code)) throw NOT_PLAIN;
  if (code !== DASH) return;
  const next = codeAt(text, start + 1);
  // A dash before a letter or digit is part of a word; anything else is left to the package.
  if (next < 0x30 || next > 0x7a || INDICATORS.has(next)) throw NOT_PLAIN;
}

/** Past the closing quote, which must be on the same line. */
function quotedEnd(text: string, start: number): number {
  const quote = codeAt(text, start);
  for (let at = start + 1; ; at++) {
    const code = codeAt(text, at);
    if (code < SPACE || code === BACKSLASH || code === BYTE_ORDER_MARK) {
      if (code !== BACKSLASH || quote === QUOTE) throw NOT_PLAIN;
    }
    if (code !== quote) continue;
    if (quote === QUOTE || codeAt(text, at + 1) !== APOSTROPHE) return at + 1;
    at++;
  }
}
