/**
 * Lines and columns of character offsets, in a file or a piece of one. Lines
 * are counted when the first place is asked for.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";

export class SourceText {
  readonly file: string;
  readonly text: string;
  readonly #firstLine: number;
  #lineStarts: readonly number[] | undefined;

  /** `text` begins at the beginning of line `firstLine` of the file. */
  constructor(file: string, text: string, firstLine: number) {
    this.file = file;
    this.text = text;
    this.#firstLine = firstLine;
  }

  /** The place of character `offset`; offsets outside of the text mean its nearest end. */
  locate(offset: number): SourceLocation {
    const at = Math.min(Math.max(offset, 0), this.text.length);
    const starts = (this.#lineStarts ??= lineStarts(this.text));
    let low = 0;
    for (let high = starts.length; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) <= at) low = middle;
      else high = middle;
    }
    return { file: this.file, line: this.#firstLine + low, column: at - (starts[low] as number) + 1 };
  }
}

/** Offsets at which lines begin; YAML 1.2 ends a line with LF or CRLF. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
