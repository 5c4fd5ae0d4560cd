/**
 * Listings with a number before each line (SEMANTICS 0.2): stripped only where
 * the numbers grow by one a line. A listing that prose interrupts goes on
 * where its numbers do.
 */
import type { SourceLine } from "./source-line.ts";
import { shapeOf } from "./source-line.ts";

/** Lines that belong together; `numbered` if they once had line numbers of their own. */
export interface Region {
  readonly lines: readonly SourceLine[];
  readonly numbered: boolean;
}

interface NumberedLine {
  readonly own: number;
  readonly line: SourceLine;
}

const MIN_RUN = 2;
// `1.` and `1)` are numbered prose, `1:` is a table.
const NUMBERED = /^\s*(\d{1,5})(?![\d.):])(.*)$/;

/** Numbered listings and the text between them, in the order in which each begins. */
export function splitListings(lines: readonly SourceLine[]): Region[] {
  const regions: { lines: SourceLine[]; numbered: boolean; next: number }[] = [];
  let text: SourceLine[] = [];
  let listing: (typeof regions)[number] | undefined;
  const closeText = () => {
    if (text.length > 0) regions.push({ lines: text, numbered: false, next: 0 });
    text = [];
  };
  for (let at = 0; at < lines.length; ) {
    const run = numberedRun(lines, at);
    const first = run[0]?.own;
    const continues = listing !== undefined && first === listing.next;
    if (first === undefined || (!continues && !beginsListing(run))) {
      const length = Math.max(run.length, 1);
      text.push(...lines.slice(at, at + length));
      at += length;
      continue;
    }
    closeText();
    if (!continues || listing === undefined) {
      listing = { lines: [], numbered: true, next: 0 };
      regions.push(listing);
    }
    listing.lines.push(...run.map(({ line }) => line));
    listing.next = first + run.length;
    at += run.length;
  }
  closeText();
  return regions;
}

/** The longest run of successive numbers from line `at` on. */
function numberedRun(lines: readonly SourceLine[], at: number): NumberedLine[] {
  const run: NumberedLine[] = [];
  for (let next = at; next < lines.length; next++) {
    const line = lines[next] as SourceLine;
    const match = NUMBERED.exec(line.text);
    if (match === null) break;
    const own = Number(match[1]);
    const stripped = { ...line, text: match[2] as string };
    const expected = (run[0]?.own ?? own) + run.length;
    if (shapeOf(stripped).shape === "text" || own !== expected) break;
    run.push({ own, line: stripped });
  }
  return run;
}

function beginsListing(run: readonly NumberedLine[]): boolean {
  return (
    run.length >= MIN_RUN &&
    run.some(({ line }) => {
      const shape = shapeOf(line);
      return shape.shape === "entry" && shape.entry.key !== undefined;
    })
  );
}
