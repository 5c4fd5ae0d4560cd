import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { importText } from "../../src/import/import.ts";
import { planOutput } from "../../src/import/output.ts";
import { arbitraryDocument } from "./arbitrary-document.ts";
import { article, SEED_FILES } from "./seed-documents.ts";

const DOUBTS = ["RAMPART_W_REPAIR_LABEL", "RAMPART_W_REPAIR_DOUBT", "RAMPART_W_REPAIR_END"];

describe("well-indented YAML", () => {
  it("keeps its meaning and needs no repair", () => {
    fc.assert(
      fc.property(arbitraryDocument, fc.integer({ min: 1, max: 6 }), (document, indent) => {
        const { documents, skipped } = importText("x.yaml", stringify(document, { indent, lineWidth: 0 }));
        expect(skipped).toEqual([]);
        expect(documents.map(({ value }) => value)).toEqual([document]);
        expect(documents[0]?.repairs).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("keeps it between paragraphs, and in a stream of several documents", () => {
    const documents = fc.array(arbitraryDocument, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(documents, fc.boolean(), (expected, inArticle) => {
        const stream = expected.map((one) => stringify(one, { lineWidth: 0 })).join("---\n");
        const text = inArticle ? `Write this:\n\n${stream}\nThen apply it.\n` : stream;
        const result = importText("x.txt", text);
        expect(result.skipped).toEqual([]);
        expect(result.documents.map(({ value }) => value)).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });
});

describe("lost indentation", () => {
  it("is rebuilt as it was, or the document is refused, or the doubt is named", () => {
    let rebuilt = 0;
    fc.assert(
      fc.property(arbitraryDocument, (document) => {
        const flat = stringify(document, { lineWidth: 0 }).replaceAll(/^ +/gm, "");
        const { documents } = importText("x.txt", flat);
        const [one] = documents;
        if (one === undefined || one.repairs.some(({ code }) => DOUBTS.includes(code))) return;
        expect(one.value).toEqual(document);
        rebuilt++;
      }),
      { numRuns: 1000 },
    );
    expect(rebuilt).toBeGreaterThan(300);
  });
});

describe("any text", () => {
  it("throws nothing, and whatever is written reads back as what was imported", () => {
    const header = ["apiVersion: v1", "kind: Pod", "metadata:", "name: a", "spec: {", "---"];
    const piece = fc.constantFrom(...header, "- ", "  ", "\u00a0", "1", "#", "podSelector:", "action: Deny");
    const pieces = fc.array(piece).map((some) => some.join(""));
    const line = fc.oneof(fc.string({ unit: "binary" }), pieces);
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const { files } = planOutput([{ file: "x", outcome: importText("x", lines.join("\n")) }]);
        for (const { text } of files) expect(parse(text)).toBeTypeOf("object");
      }),
      { numRuns: 500 },
    );
  });

  it.each(SEED_FILES)("%s: what is written reads back as what was imported", (file) => {
    const outcome = article(file);
    const { files } = planOutput([{ file, outcome }]);
    const values = outcome.documents.map(({ value }) => value);
    for (const { text } of files) expect(values).toContainEqual(parse(text));
  });

  it.each(SEED_FILES)("%s: importing what was written changes nothing more", (file) => {
    const { files } = planOutput([{ file, outcome: article(file) }]);
    for (const { text } of files) {
      const again = importText("again.yaml", text);
      expect([again.documents.map(({ value }) => value), again.skipped]).toEqual([[parse(text)], []]);
      expect(again.documents[0]?.repairs).toEqual([]);
    }
  });
});
