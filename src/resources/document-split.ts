/**
 * A file's text cut at its document markers, so that each document can be read
 * by itself. `---` at the beginning of a line, with a blank or nothing after
 * it, is a marker wherever it stands: no scalar goes on past it (YAML 1.2,
 * section 9.1.2).
 */

export interface TextPiece {
  /** From its own `---` up to the next one; holds no reference to the text it was cut from. */
  readonly text: string;
  /** The line of the file it begins with, from 1. */
  readonly line: number;
}

const MARKER = "---";
/** Directives and document ends are about documents other than the one they stand in. */
const DIRECTIVE = "%";
const DOCUMENT_END = "...";
const BYTE_ORDER_MARK = "\ufeff";

/**
 * The documents, a piece each and all of the text in them. With directives, document ends or byte order marks there is
 * one piece for everything.
 */
export function splitDocuments(text: string): TextPiece[] {
  const whole = [{ text, line: 1 }];
  if (text.includes(BYTE_ORDER_MARK)) return whole;
  const pieces: TextPiece[] = [];
  let start = 0;
  let startLine = 1;
  let line = 1;
  for (let at = 0; ; line++) {
    const first = text[at];
    if (first === DIRECTIVE || (first === "." && text.startsWith(DOCUMENT_END, at))) return whole;
    if (first === "-" && at > 0 && text.startsWith(MARKER, at) && isBlank(text[at + MARKER.length])) {
      pieces.push({ text: copy(text, start, at), line: startLine });
      start = at;
      startLine = line;
    }
    const lineEnd = text.indexOf("\n", at);
    if (lineEnd < 0) break;
    at = lineEnd + 1;
  }
  if (start === 0) return whole;
  pieces.push({ text: copy(text, start, text.length), line: startLine });
  return pieces;
}

function isBlank(char: string | undefined): boolean {
  return char === undefined || char === " " || char === "\t" || char === "\n" || char === "\r";
}

/** A slice would keep all of `text` in memory for as long as one name out of it is in use. */
function copy(text: string, start: number, end: number): string {
  return Buffer.from(text.slice(start, end)).toString();
}
