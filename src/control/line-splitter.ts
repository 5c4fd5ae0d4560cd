/**
 * Cuts a byte stream into lines of at most `maxBytes` (without the newline).
 * It never holds more than one unfinished line of that length plus one chunk,
 * and it cuts bytes, not text, so a character split over two chunks survives.
 */
const NEWLINE = 0x0a;

export class LineSplitter {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Calls `onLine` for every line the chunk completes; false once a line is too long, and then the stream is done. */
  push(chunk: Buffer, onLine: (line: string) => void): boolean {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      const piece = chunk.subarray(start, end < 0 ? chunk.length : end);
      if (this.#held + piece.length > this.#maxBytes) return false;
      if (end < 0) {
        if (piece.length > 0) this.#pieces.push(piece);
        this.#held += piece.length;
        return true;
      }
      const line = this.#pieces.length === 0 ? piece : Buffer.concat([...this.#pieces, piece]);
      this.#pieces = [];
      this.#held = 0;
      start = end + 1;
      onLine(line.toString("utf8"));
    }
  }
}
