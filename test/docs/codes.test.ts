/** docs/codes.md against the source: administrators alert on codes, so each is there once, and none that is not raised. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

/** Whole codes only: not `RAMPART_E_` nor `RAMPART_E_FILE_*`. */
const CODE = /RAMPART_[EW]_[A-Z0-9]+(?:_[A-Z0-9]+)*(?![A-Z0-9_])/g;
/** The first cell of a row. */
const ROW = /^\| `(RAMPART_[EW]_[A-Z0-9_]+)` \|/gm;
/** In quotes: what code raises or compares. Comments have none. */
const LITERAL = /"(RAMPART_[EW]_[A-Z0-9]+(?:_[A-Z0-9]+)*)"/g;
/** A code that no search would find. The types `RAMPART_W_${string}` are no code. */
const PUT_TOGETHER = [/RAMPART_[EW]_[A-Z0-9_]*\$\{(?!string\})/, /RAMPART_[EW]_[A-Z0-9_]*["'`]\s*\+/, /RAMPART_["'`]/];

const sources = [...filesIn("src", /\.ts$/), ...filesIn("native/src", /\.[ch]$/)];
const pages = ["README.md", ...filesIn("docs", /\.md$/)];
const raised = new Set(sources.flatMap((file) => matches(file, LITERAL)));
const listed = matches("docs/codes.md", ROW);

describe("docs/codes.md", () => {
  it("finds source and pages to compare", () => {
    expect(raised.size).toBeGreaterThan(100);
    expect(pages).toContain("docs/operating.md");
  });

  it("lists every code of the source", () => {
    expect([...raised].filter((code) => !listed.includes(code))).toEqual([]);
  });

  it("lists none twice", () => {
    expect(listed.filter((code, index) => listed.indexOf(code) !== index)).toEqual([]);
  });

  it("lists none that the source does not have", () => {
    expect(listed.filter((code) => !raised.has(code))).toEqual([]);
  });
});

describe("codes", () => {
  it("that a page or a comment names are raised", () => {
    const unknown = [...pages, ...sources].flatMap((file) =>
      matches(file, CODE).filter((code) => !raised.has(code)).map((code) => `${file}: ${code}`),
    );
    expect(unknown).toEqual([]);
  });

  it("stand whole in the source, so that a search finds them", () => {
    const built = sources.filter((file) => PUT_TOGETHER.some((pattern) => pattern.test(readFileSync(file, "utf8"))));
    expect(built).toEqual([]);
  });
});

function filesIn(directory: string, name: RegExp): string[] {
  const entries = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return entries.filter((entry) => name.test(entry)).toSorted().map((entry) => join(directory, entry));
}

/** What the pattern's group matches, or all of it. */
function matches(file: string, pattern: RegExp): string[] {
  return [...readFileSync(file, "utf8").matchAll(pattern)].map((match) => match[1] ?? match[0]);
}
