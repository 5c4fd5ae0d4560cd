/** The fast reader reads what the `yaml` package reads, the same way, or nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { splitDocuments } from "../../src/resources/document-split.ts";
import { readPlainYaml } from "../../src/resources/plain-yaml.ts";
import { readBothWays, WHOLE_FILE } from "./yaml-both-ways.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Reads it both ways and compares; true unless the fast reader left it to the package. */
function expectAgreement(text: string): boolean {
  const read = readBothWays(text);
  if (read === undefined) return false;
  expect(read.plain).toEqual(read.byPackage);
  return true;
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:ya?ml|json)$/.test(name))
    .map((name) => join(folder, name));
}

const FILES = [...filesBelow("config"), ...filesBelow("test/fixtures")];

function documentsOf(text: string): string[] {
  return splitDocuments(text).map((piece) => piece.text);
}

const DOCUMENTS = FILES.flatMap((file) => documentsOf(readFileSync(join(ROOT, file), "utf8")));

const POLICY = `---
# who may come in
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: 'it''s'   # a comment
  labels: { a: b, "c": "d e", 'f': -5 }
spec:
  order: 10
  selector: role == 'x' && has(y)
  types: [Ingress, Egress,]
  ingress:
  - action: Allow
    protocol: TCP
    source:
      nets:
        - 10.0.0.0/8
        - "2001:db8::/32"
        - 2001:db8::1/128
    destination:
      ports: [80, "1000:2000", http]

  -
    action: Deny
  egress:
  - - a: b
      c:
    - ~
  empty: []
  none: {}
  last:
`;

describe("the fast reader", () => {
  it.each(FILES)("agrees with the package on every document of %s", (file) => {
    for (const document of documentsOf(readFileSync(join(ROOT, file), "utf8"))) expectAgreement(document);
  });

  it("reads the files that are shipped, all of them", () => {
    const shipped = filesBelow("config").flatMap((file) => documentsOf(readFileSync(join(ROOT, file), "utf8")));
    for (const document of shipped) expect([document, expectAgreement(document)]).toEqual([document, true]);
  });

  it.each([
    ["block style", POLICY.replace("  -\n    action", "  - action").replace("    - ~\n", "")],
    ["JSON on one line", '{"kind":"Pod","spec":{"a":[1,true,null,"x"],"b":{}},"metadata":{"name":"p"}}'],
    ["JSON on many lines", JSON.stringify({ kind: "Pod", list: [1, { a: "b" }, []], none: {}, t: true }, null, 2)],
    ["comments only", "# nothing\n  # here\n\n"],
    ["a marker only", "--- # nothing\n"],
    ["no newline at the end", "a: b"],
    ["a list at the column of its key", "a:\n- b\n- c: d\n  e: f\ng: h\n"],
    ["words that look like something else", "a: yes\nb: 0.0.0.0/0\nc: 1.2.3.4\nd: 12:30\ne: -a\nf: '~'\ng: a#b"],
    ["numbers", "a: 0\nb: -0\nc: +12\nd: 010\n8: 5\ntrue: f"],
    ["many blanks", "a  :   b   \n\n   \nc:    # d\n    e:   f\n"],
  ])("reads %s", (_what, text) => {
    expect(expectAgreement(text)).toBe(true);
  });

  it.each([
    ["anchors", "a: &x b"],
    ["aliases", "a: *x"],
    ["tags", "a: !!str b"],
    ["block scalars", "a: |\n  b\n"],
    ["text over several lines", "a: b\n  c\n"],
    ["quoted text over several lines", 'a: "b\n  c"\n'],
    ["escapes", 'a: "\\n"'],
    ["tabs", "a:\tb"],
    ["carriage returns", "a: b\r\nc: d\r\n"],
    ["explicit keys", "? a\n: b\n"],
    ["merge keys", "<<: a"],
    ["a key twice", "a: b\na: c"],
    ["a prototype", "__proto__: a"],
    ["a null key", "~: a"],
    ["fractions", "a: 1.5"],
    ["hexadecimal numbers", "a: 0x1f"],
    ["numbers that would lose digits", "a: 12345678901234567890"],
    ["an empty item", "a:\n- \n- b\n"],
    ["a mapping in a line of its key", "a: b: c"],
    ["a list in a line of its key", "a: - b"],
    ["a bracket that is not closed", "a: [b"],
    ["text after a bracket", "a: [b] c"],
    ["an indentation that fits nothing", "a:\n    b: c\n  d: e\n"],
    ["a field after a list", "- a\nb: c\n"],
    ["a comment without a blank", "a: 'b'#c"],
    ["a scalar alone", "hello"],
    ["flow style over several lines inside a block", "a: [b,\n  c]\n"],
  ])("leaves %s to the package", (_what, text) => {
    expect(expectAgreement(text)).toBe(false);
  });

  it("leaves long gaps to the package, which counts some of them as a part of the next key", () => {
    const gaps = [" ".repeat(1100), "\n".repeat(1100), `${" ".repeat(600)}\n${"\n".repeat(600)}`, `${" ".repeat(299)}${"\n".repeat(299)}`];
    for (const gap of gaps) {
      for (const key of ["b", "b".repeat(390), "b".repeat(1100)]) {
        for (const value of ["", " 1", " # none"]) {
          expectAgreement(`x:\n  a:${value}${gap}\n  ${key}: 2\n`);
          expectAgreement(`x:\n  a:${value}${gap}\n${key}: 2\n`);
          expectAgreement(`x:\n  - a:${value}${gap}\n    ${key}: 2\n`);
        }
      }
    }
    expect(expectAgreement(`x:\n  a:\n${"\n".repeat(200)}b: 1\n`)).toBe(true);
    expect(expectAgreement(`x:\n  a:\n${"\n".repeat(1100)}b: 1\n`)).toBe(false);
  });

  it("leaves what nests deeper than the limit to the package", () => {
    const read = (text: string) => readPlainYaml(text, 64);
    const flow = (depth: number) => `${"[".repeat(depth)}a${"]".repeat(depth)}`;
    expect(read(flow(64))).not.toBe("unknown");
    expect(read(flow(65))).toBe("unknown");
    expect(read(`${"- ".repeat(65)}a`)).toBe("unknown");
    expect(read("- ".repeat(100_000))).toBe("unknown");
  });
});

const word = fc.oneof(
  fc.constantFrom("a", "b-c", "10.0.0.0/8", "role == 'x'", "all()", "null", "TRUE", "1", "0x1", "1.0", "1e3", ""),
  fc.constantFrom("<x>", "a:b", ".inf", ".NaN", "0o7", "1.", "+.5e-1", "-", "--", "- a", "a: b", "a #b", "# a"),
  fc.string({ unit: "binary-ascii", maxLength: 8 }),
);
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    word,
    fc.integer(),
    fc.constantFrom(null, true, false),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(word, tie("value"), { maxKeys: 4 }),
  ),
})).value;

const written = fc
  .tuple(value, fc.constantFrom("block", "flow", "json", "json2"), fc.constantFrom(1, 2, 4), fc.boolean())
  .map(([data, style, indent, indentSeq]) => {
    if (style === "json") return JSON.stringify(data);
    if (style === "json2") return JSON.stringify(data, null, indent);
    const collectionStyle = style === "flow" ? "flow" : "block";
    const lineWidth = style === "flow" ? 0 : 80;
    return stringify(data, { collectionStyle, indent: Math.max(indent, 2), indentSeq, lineWidth });
  });

const NOISE = [..." \n:-,[]{}#&*!|>'\"%@`?~\t\r.0a=\\\u00a0\u2028\ufeff", "\n  ", "\n- ", ": ", " #", "---\n", "- - "];
const mutation = fc.record({
  at: fc.nat({ max: 100_000 }),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(fc.constantFrom(...NOISE), fc.constant("")),
});

function mutated(text: string, mutations: readonly { at: number; remove: number; insert: string }[]): string {
  let result = text;
  for (const { at, remove, insert } of mutations) {
    const where = at % (result.length + 1);
    result = result.slice(0, where) + insert + result.slice(where + remove);
  }
  return result;
}

describe("whatever the text, the fast reader agrees with the package or leaves it alone", () => {
  it("generated documents of every style", () => {
    fc.assert(fc.property(written, (text) => void documentsOf(text).map(expectAgreement)), { numRuns: 3000 });
  });

  it("mutated documents", () => {
    const source = fc.oneof(fc.constantFrom(POLICY, ...DOCUMENTS), written);
    fc.assert(
      fc.property(source, fc.array(mutation, { minLength: 1, maxLength: 4 }), (text, mutations) => {
        for (const document of documentsOf(mutated(text, mutations))) {
          if (!WHOLE_FILE.test(document)) expectAgreement(document);
        }
      }),
      { numRuns: 6000 },
    );
  });

  it("short random text", () => {
    const part = fc.constantFrom(...NOISE, "key", "value", "1");
    const text = fc.array(part, { maxLength: 20 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, (input) => {
        for (const document of documentsOf(input)) if (!WHOLE_FILE.test(document)) expectAgreement(document);
      }),
      { numRuns: 20_000 },
    );
  });
});

describe("documents are cut", () => {
  it.each<[string, string, string[]]>([
    ["at markers", "a: b\n---\nc: d\n--- # e\nf: g", ["a: b\n", "---\nc: d\n", "--- # e\nf: g"]],
    ["at markers of CRLF files", "a: b\r\n---\r\nc: d", ["a: b\r\n", "---\r\nc: d"]],
    ["not at what only begins like one", "a:\n---b: c\n----\n ---\n", ["a:\n---b: c\n----\n ---\n"]],
    ["not where directives are", "%YAML 1.2\n---\na: b\n---\n", ["%YAML 1.2\n---\na: b\n---\n"]],
    ["not where documents end", "---\na: b\n...\n---\nc: d\n", ["---\na: b\n...\n---\nc: d\n"]],
  ])("%s", (_what, text, documents) => {
    expect(documentsOf(text)).toEqual(documents);
  });

  it("and the package finds the same documents in the pieces as in the whole", () => {
    const odd = ["a: |\n  b\n   ---\n", 'a: "b\n  c"\n', "---\n- x\n", "a: [b,\n c]\n"];
    const piece = fc.constantFrom(...DOCUMENTS, POLICY, ...odd);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const text = pieces.map((each) => (each.startsWith("---") ? each : `---\n${each}`)).join("");
        const values = (part: string) =>
          parseAllDocuments(part, { logLevel: "silent", uniqueKeys: false }).map((each) => each.toJS() as unknown);
        expect(documentsOf(text).flatMap(values)).toEqual(values(text));
      }),
      { numRuns: 300 },
    );
  });
});
