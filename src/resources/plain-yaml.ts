/**
 * The part of YAML that policies are written in, read in one pass: block
 * mappings and lists, scalars on one line, flow collections on one line, and
 * JSON. It is many times as fast as the `yaml` package, and it never judges:
 * a document that has anything else in it, or anything wrong with it, is left
 * to the package. For what is read here, values and places are the same as the
 * package's (YAML 1.2, core schema); any doubt is a reason to leave it.
 */
import type { PlacedNode } from "./placed-node.ts";
import type { PlainScalar } from "./plain-scalar.ts";
import { readPlainScalar } from "./plain-scalar.ts";
import { blockScalarEnd, codeAt, flowScalarEnd, isQuote, NOT_PLAIN, quotedText } from "./plain-scan.ts";
import {
  CLOSE_LIST,
  CLOSE_MAP,
  COLON,
  COMMA,
  DASH,
  HASH,
  NEWLINE,
  OPEN_LIST,
  OPEN_MAP,
  SPACE,
  TAB,
} from "./yaml-character.ts";
import type { YamlObject, YamlValue } from "./yaml-value.ts";

export interface PlainDocument {
  readonly value: YamlValue;
  readonly root: PlacedNode;
}

/**
 * Characters; the standard wants a key and its colon within 1024 of one another. The package counts the rest of the line
 * before and blank lines, too, where a value is missing.
 */
const MAX_KEY = 400;
const MAX_BLANK = 300;

/** The one document in `text`, its `---` line included; "empty" if there is nothing, "unknown" if it is not for us. */
export function readPlainYaml(text: string, maxDepth: number): PlainDocument | "empty" | "unknown" {
  try {
    return new PlainReader(text, maxDepth).read();
  } catch (cause) {
    if (cause === NOT_PLAIN) return "unknown";
    throw cause;
  }
}

class PlainReader {
  readonly #text: string;
  readonly #maxDepth: number;
  /** The character that is read next; after #toContent the first one of a line that is no blank. */
  #at = 0;
  /** Columns before that character; -1 at the end of the document. */
  #column = -1;
  /** The value whose node was returned last. */
  #value: YamlValue = null;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  read(): PlainDocument | "empty" {
    if (this.#text.startsWith("---")) {
      this.#at = 3;
      this.#endLine();
    } else {
      this.#toContent(0);
    }
    if (this.#column < 0) return "empty";
    const code = codeAt(this.#text, this.#at);
    let root: PlacedNode;
    if (code === OPEN_MAP || code === OPEN_LIST) {
      root = this.#readFlow(1, true);
      this.#endLine();
    } else {
      root = this.#readBlock(1);
    }
    // What is left belongs to nothing that was open.
    if (this.#column >= 0) throw NOT_PLAIN;
    return { value: this.#value, root };
  }

  /** Goes to the next line with content; `lineStart` is where a line begins. */
  #toContent(lineStart: number): void {
    let blankFrom = lineStart;
    while (lineStart < this.#text.length) {
      let at = lineStart;
      while (codeAt(this.#text, at) === SPACE) at++;
      const code = codeAt(this.#text, at);
      if (code === HASH) {
        const lineEnd = this.#text.indexOf("\n", at);
        lineStart = lineEnd < 0 ? this.#text.length : lineEnd + 1;
        blankFrom = lineStart;
      } else if (code === NEWLINE) {
        lineStart = at + 1;
      } else if (at >= this.#text.length) {
        break;
      } else {
        if (at - blankFrom > MAX_BLANK) throw NOT_PLAIN;
        this.#at = at;
        this.#column = at - lineStart;
        return;
      }
    }
    this.#at = this.#text.length;
    this.#column = -1;
  }

  /** Nothing but blanks and a comment may be left of the line; goes on to the next content. */
  #endLine(): void {
    const from = this.#at;
    this.#skipSpaces();
    const code = codeAt(this.#text, this.#at);
    if (code === NEWLINE) return this.#toContent(this.#at + 1);
    if (this.#at >= this.#text.length) return this.#toContent(this.#text.length);
    if (code !== HASH || this.#at === from) throw NOT_PLAIN;
    const lineEnd = this.#text.indexOf("\n", this.#at);
    this.#toContent(lineEnd < 0 ? this.#text.length : lineEnd + 1);
  }

  #skipSpaces(): void {
    const from = this.#at;
    while (codeAt(this.#text, this.#at) === SPACE) this.#at++;
    if (this.#at - from > MAX_BLANK) throw NOT_PLAIN;
  }

  /** A dash that begins a list item: not that of `-5`. */
  #isItem(): boolean {
    if (codeAt(this.#text, this.#at) !== DASH) return false;
    const next = codeAt(this.#text, this.#at + 1);
    return next === SPACE || next === NEWLINE || next === TAB || next === 0;
  }

  /** The mapping or list that begins at this column. */
  #readBlock(depth: number): PlacedNode {
    if (depth > this.#maxDepth) throw NOT_PLAIN;
    return this.#isItem() ? this.#readList(depth) : this.#readMap(depth);
  }

  #readList(depth: number): PlacedNode {
    const column = this.#column;
    const start = this.#at;
    const values: YamlValue[] = [];
    const items: PlacedNode[] = [];
    do {
      const dash = this.#at++;
      this.#skipSpaces();
      const code = codeAt(this.#text, this.#at);
      if (code === NEWLINE || code === HASH || code === 0) throw NOT_PLAIN;
      this.#column = column + this.#at - dash;
      items.push(this.#isItem() ? this.#readBlock(depth + 1) : this.#readItem(depth + 1));
      values.push(this.#value);
    } while (this.#column === column && this.#isItem());
    this.#value = values;
    return { type: "list", start, items };
  }

  /** What follows the dash: a mapping that begins on the same line, or a value. */
  #readItem(depth: number): PlacedNode {
    const start = this.#at;
    const column = this.#column;
    const code = codeAt(this.#text, start);
    if (code !== OPEN_MAP && code !== OPEN_LIST) {
      const after = blockScalarEnd(this.#text, start);
      let colon = after;
      while (codeAt(this.#text, colon) === SPACE) colon++;
      if (codeAt(this.#text, colon) === COLON) {
        this.#at = start;
        this.#column = column;
        return this.#readBlock(depth);
      }
    }
    return this.#readInline(depth);
  }

  #readMap(depth: number): PlacedNode {
    const column = this.#column;
    const start = this.#at;
    const object: YamlObject = {};
    const keys: string[] = [];
    const keyStarts: number[] = [];
    const values: PlacedNode[] = [];
    do {
      keyStarts.push(this.#at);
      const key = this.#readKey(object);
      keys.push(key);
      values.push(this.#readField(column, depth + 1));
      object[key] = this.#value;
    } while (this.#column === column && !this.#isItem());
    this.#value = object;
    return { type: "map", start, keys, keyStarts, values };
  }

  /** The key here, and its colon, which blanks follow. */
  #readKey(object: YamlObject): string {
    const start = this.#at;
    const end = blockScalarEnd(this.#text, start);
    this.#at = end;
    this.#skipSpaces();
    if (codeAt(this.#text, this.#at) !== COLON || this.#at - start > MAX_KEY) throw NOT_PLAIN;
    const key = this.#keyText(start, end, object);
    this.#at++;
    const next = codeAt(this.#text, this.#at);
    if (next !== SPACE && next !== NEWLINE && next !== 0) throw NOT_PLAIN;
    return key;
  }

  /** The key's text, which a mapping may have: no other spelling of null, no merge, and only once. */
  #keyText(start: number, end: number, object: YamlObject): string {
    let key: string;
    if (isQuote(this.#text, start)) {
      key = quotedText(this.#text, start, end);
    } else {
      key = this.#text.slice(start, end);
      if (codeAt(this.#text, start) === DASH || key === "<<" || readPlainScalar(key) === null) throw NOT_PLAIN;
    }
    if (key === "__proto__" || Object.hasOwn(object, key)) throw NOT_PLAIN;
    return key;
  }

  /** A mapping's value, after the colon; `column` is that of its key. */
  #readField(column: number, depth: number): PlacedNode {
    const colon = this.#at;
    this.#skipSpaces();
    const code = codeAt(this.#text, this.#at);
    if (code !== NEWLINE && code !== 0 && (code !== HASH || this.#at === colon)) return this.#readInline(depth);
    this.#at = colon;
    this.#endLine();
    if (this.#column > column || (this.#column === column && this.#isItem())) return this.#readBlock(depth);
    this.#value = null;
    return { type: "scalar", start: colon, end: colon, text: undefined };
  }

  /** A scalar or a flow collection, and nothing after it on its line. */
  #readInline(depth: number): PlacedNode {
    const start = this.#at;
    const code = codeAt(this.#text, start);
    let node: PlacedNode;
    if (code === OPEN_MAP || code === OPEN_LIST) {
      node = this.#readFlow(depth, false);
    } else {
      const end = blockScalarEnd(this.#text, start);
      this.#at = end;
      node = this.#scalar(start, end);
    }
    const value = this.#value;
    this.#endLine();
    this.#value = value;
    return node;
  }

  #scalar(start: number, end: number): PlacedNode {
    let value: PlainScalar;
    if (isQuote(this.#text, start)) {
      value = quotedText(this.#text, start, end);
    } else {
      const read = readPlainScalar(this.#text.slice(start, end));
      if (read === undefined) throw NOT_PLAIN;
      value = read;
    }
    this.#value = value;
    return { type: "scalar", start, end, text: typeof value === "string" ? value : undefined };
  }

  /** The collection whose bracket is here; `lines`: it may go over several of them. */
  #readFlow(depth: number, lines: boolean): PlacedNode {
    if (depth > this.#maxDepth) throw NOT_PLAIN;
    const node = codeAt(this.#text, this.#at) === OPEN_LIST ? this.#flowList(depth, lines) : this.#flowMap(depth, lines);
    this.#at++;
    return node;
  }

  #flowList(depth: number, lines: boolean): PlacedNode {
    const start = this.#at++;
    const values: YamlValue[] = [];
    const items: PlacedNode[] = [];
    for (this.#skipInFlow(lines); codeAt(this.#text, this.#at) !== CLOSE_LIST; this.#nextInFlow(lines, CLOSE_LIST)) {
      items.push(this.#flowValue(depth + 1, lines));
      values.push(this.#value);
    }
    this.#value = values;
    return { type: "list", start, items };
  }

  #flowMap(depth: number, lines: boolean): PlacedNode {
    const start = this.#at++;
    const object: YamlObject = {};
    const keys: string[] = [];
    const keyStarts: number[] = [];
    const values: PlacedNode[] = [];
    for (this.#skipInFlow(lines); codeAt(this.#text, this.#at) !== CLOSE_MAP; this.#nextInFlow(lines, CLOSE_MAP)) {
      keyStarts.push(this.#at);
      const key = this.#flowKey(object);
      keys.push(key);
      this.#skipInFlow(lines);
      values.push(this.#flowValue(depth + 1, lines));
      object[key] = this.#value;
    }
    this.#value = object;
    return { type: "map", start, keys, keyStarts, values };
  }

  #flowKey(object: YamlObject): string {
    const start = this.#at;
    const end = flowScalarEnd(this.#text, start);
    const key = this.#keyText(start, end, object);
    if (codeAt(this.#text, end) !== COLON || end - start > MAX_KEY) throw NOT_PLAIN;
    this.#at = end + 1;
    const next = codeAt(this.#text, this.#at);
    // As in JSON, only a quoted key needs no blank after its colon.
    if (next !== SPACE && next !== NEWLINE && !isQuote(this.#text, start)) throw NOT_PLAIN;
    return key;
  }

  #flowValue(depth: number, lines: boolean): PlacedNode {
    const start = this.#at;
    const code = codeAt(this.#text, start);
    if (code === OPEN_MAP || code === OPEN_LIST) return this.#readFlow(depth, lines);
    const end = flowScalarEnd(this.#text, start);
    this.#at = end;
    return this.#scalar(start, end);
  }

  /** After an item: a comma, or the closing bracket. */
  #nextInFlow(lines: boolean, close: number): void {
    this.#skipInFlow(lines);
    const code = codeAt(this.#text, this.#at);
    if (code === close) return;
    if (code !== COMMA) throw NOT_PLAIN;
    this.#at++;
    this.#skipInFlow(lines);
  }

  #skipInFlow(lines: boolean): void {
    for (;;) {
      const code = codeAt(this.#text, this.#at);
      if (code !== SPACE && (code !== NEWLINE || !lines)) return;
      this.#at++;
    }
  }
}
