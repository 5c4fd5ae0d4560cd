/**
 * The only error parseSelector throws. `offset` is 0-based into the selector's
 * text, so that a caller who knows where the text starts can point at it.
 */
export class SelectorSyntaxError extends Error {
  readonly offset: number;
  /** What the grammar allows at `offset`, fit for "expected …". */
  readonly expected: string;

  constructor(text: string, offset: number, expected: string) {
    const found = offset >= text.length ? "the end of the selector" : JSON.stringify(excerpt(text, offset));
    super(`selector: expected ${expected} at character ${offset + 1}, found ${found}`);
    this.name = "SelectorSyntaxError";
    this.offset = offset;
    this.expected = expected;
  }
}

const EXCERPT_LENGTH = 16;

function excerpt(text: string, offset: number): string {
  const piece = text.slice(offset, offset + EXCERPT_LENGTH);
  return offset + EXCERPT_LENGTH < text.length ? `${piece}…` : piece;
}
