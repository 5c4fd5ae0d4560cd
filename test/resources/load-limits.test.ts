import { truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatError } from "../../src/errors/rampart-error.ts";
import { loadResources } from "../../src/resources/load.ts";
import { inRule, loadText, policy, temporaryFolder } from "./temporary-folder.ts";

const MEGABYTE = 1_000_000;
/** What a pattern that goes back on its steps takes hours for. */
const LONG_WORDS: [what: string, word: string][] = [
  ["digits and a letter", `${"1".repeat(MEGABYTE)}x`],
  ["digits and dots", "1.".repeat(MEGABYTE / 2)],
  ["signs and digits", `-${"0".repeat(MEGABYTE)}-`],
  ["dashes", `a${"-".repeat(MEGABYTE)}`],
  ["letters and dashes", "a-".repeat(MEGABYTE / 2)],
  ["letters and blanks", "a ".repeat(MEGABYTE / 2)],
  ["exclamation marks", "!".repeat(MEGABYTE)],
  ["slashes", `a${"/".repeat(MEGABYTE)}`],
];

function codes(text: string, limits = {}): string[] {
  return loadText(text, { limits }).errors.map((error) => error.code);
}

/** Nine levels of nine aliases: 9^9 values from 400 characters. */
function aliasBomb(): string {
  let text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (let level = 1; level < 9; level++) {
    text += `a${level}: &a${level} [${Array<string>(9).fill(`*a${level - 1}`).join(", ")}]\n`;
  }
  return text;
}

function nested(depth: number): string {
  return `apiVersion: v1\nkind: X\nx: ${"[".repeat(depth)}${"]".repeat(depth)}\n`;
}

describe("a file cannot make its reading expensive", () => {
  it("an alias bomb is refused quickly", () => {
    const started = performance.now();
    expect(codes(aliasBomb())).toEqual(["RAMPART_E_YAML_LIMIT"]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("an alias bomb inside a resource yields no resource", () => {
    const { errors, resources } = loadText(`${aliasBomb()}${policy("  order: 1")}`);
    expect(errors.map((error) => error.code)).toEqual(["RAMPART_E_YAML_LIMIT"]);
    expect(resources.policies).toEqual([]);
  });

  it("aliases within the bound are fine", () => {
    const rules = Array<string>(200).fill("    - { action: Allow, source: { nets: *n } }").join("\n");
    const nets = Array.from({ length: 200 }, (_, index) => `10.0.${index}.0/24`).join(", ");
    expect(codes(policy(`  ingress:\n    - { action: Allow, source: { nets: &n [${nets}] } }\n${rules}`))).toEqual([]);
  });

  it.each([
    ["brackets", "[".repeat(1_000_000)],
    ["closed brackets", "[".repeat(100_000) + "]".repeat(100_000)],
    ["braces", "{a: ".repeat(1_000_000)],
    ["dashes", "- ".repeat(1_000_000)],
    ["question marks", "? ".repeat(1_000_000)],
    ["indentation", Array.from({ length: 3000 }, (_, depth) => `${" ".repeat(depth)}a:\n`).join("")],
    ["colons after a bracket that is never closed", `a: [b, ${"c: ".repeat(10_000)}\nd: e\n`],
    ["in a rule", inRule(`{ action: Allow, source: ${"[".repeat(100)}${"]".repeat(100)} }`)],
  ])("deep nesting by %s is refused quickly", (_what, text) => {
    const started = performance.now();
    expect(codes(text)).toEqual(["RAMPART_E_YAML_LIMIT"]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("64 levels are fine, 65 are not", () => {
    expect(codes(nested(63))).toEqual([]);
    expect(codes(nested(64))).toEqual(["RAMPART_E_YAML_LIMIT"]);
  });

  it("depth counts what aliases bring", () => {
    const half = `a: &a ${"[".repeat(40)}${"]".repeat(40)}\n`;
    expect(codes(`${half}apiVersion: v1\nkind: X\nb: ${"[".repeat(40)}*a${"]".repeat(40)}\n`)).toEqual([
      "RAMPART_E_YAML_LIMIT",
    ]);
  });

  it("many brackets side by side are not deep", () => {
    const text = `apiVersion: v1\nkind: X\nx: [${"[], ".repeat(5000)}]\ny: [${"{a: b}, ".repeat(5000)}]\n`;
    expect(codes(text)).toEqual([]);
  });

  it("a mapping of many keys is read in time that grows with it, not with its square", () => {
    const keys = Array.from({ length: 50_000 }, (_, index) => `  k${index}: v`).join("\n");
    const started = performance.now();
    codes(`apiVersion: v1\nkind: X\nx:\n${keys}\n`);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it("a file that is too large is not read", () => {
    expect(codes(policy("  order: 1"), { fileBytes: 50 })).toEqual(["RAMPART_E_YAML_LIMIT"]);
  });

  it("files are counted, and no more are looked for", () => {
    const files = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`sub/${i}.yaml`, policy("  order: 1", `p${i}`)]));
    const folder = temporaryFolder({ ...files, "z/last.yaml": policy("  order: x") });
    const load = (limit: number): string[] => {
      return loadResources([folder, join(folder, "sub")], { limits: { files: limit } }).errors.map(formatError);
    };
    expect(load(7)).toEqual([expect.stringContaining("last.yaml")]);
    expect(load(5)).toEqual([expect.stringMatching(/5\.yaml:1:1: RAMPART_E_LIMIT there are more than 5 policy files/)]);
  });

  it("all files together have a size, too", () => {
    const one = policy("  order: 1");
    const folder = temporaryFolder({ "a.yaml": one, "b.yaml": one.replace("name: p", "name: q"), "c.yaml": "x" });
    const load = (totalBytes: number): string[] => {
      return loadResources([folder], { limits: { totalBytes } }).errors.map(formatError);
    };
    expect(load(2 * one.length)).toEqual([expect.stringMatching(/c\.yaml:1:1: RAMPART_E_YAML_LIMIT/)]);
    expect(load(2 * one.length - 1)).toEqual([expect.stringMatching(/b\.yaml:1:1: RAMPART_E_YAML_LIMIT/)]);
  });

  it("a file that is larger than its limit is refused before it is read", () => {
    const folder = temporaryFolder({ "large.yaml": "" });
    // A hole: it takes no room on the disk.
    truncateSync(join(folder, "large.yaml"), 2 ** 30);
    const started = performance.now();
    expect(loadResources([folder]).errors.map(({ code }) => code)).toEqual(["RAMPART_E_YAML_LIMIT"]);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it.each(LONG_WORDS)("a word of a megabyte is read in time that grows with it, and quoted in part: %s", (_what, word) => {
    const started = performance.now();
    const { errors } = loadText(`apiVersion: v1\nkind: ${word}\nmetadata: { name: ${word}, labels: { ${word}: ${word} } }\nx: ${word}\n`);
    expect(performance.now() - started).toBeLessThan(10_000);
    for (const error of errors) expect(formatError(error).length).toBeLessThan(5000);
  });

  it("documents are counted, items of a list too", () => {
    expect(codes("apiVersion: v1\nkind: X\n---\n".repeat(5), { documents: 5 })).toEqual([]);
    expect(codes("apiVersion: v1\nkind: X\n---\n".repeat(6), { documents: 5 })).toEqual(["RAMPART_E_LIMIT"]);
    const items = "  - { apiVersion: v1, kind: X }\n".repeat(5);
    expect(codes(`apiVersion: v1\nkind: List\nitems:\n${items}`, { documents: 5 })).toEqual(["RAMPART_E_LIMIT"]);
  });

  it("errors and warnings are bounded, and the last one says so", () => {
    const { errors, resources } = loadText(`${policy("  order: x")}---\n`.repeat(300));
    expect(errors).toHaveLength(201);
    expect(errors.at(-1)?.code).toBe("RAMPART_E_LIMIT");
    expect(errors.at(-1)?.message).toBe("more than 200 errors; the rest is not reported");
    expect(resources.policies).toEqual([]);
    const { warnings } = loadText("apiVersion: v1\nkind: X\n---\n".repeat(1500));
    expect(warnings).toHaveLength(1001);
    expect(warnings.at(-1)?.code).toBe("RAMPART_W_LIMIT");
  });
});
