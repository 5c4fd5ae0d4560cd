import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import type { LoadResult } from "../../src/resources/load.ts";
import { loadResources } from "../../src/resources/load.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const fixtures = join(import.meta.dirname, "../fixtures/policies");
const texts = readdirSync(fixtures).map((name) => readFileSync(join(fixtures, name), "utf8"));

const PIECES = [
  "---\n", "...\n", "- ", "? ", ": ", "[", "]", "{", "}", "&a ", "*a", "!!str ", "!x ", "|\n", ">-\n", "\t", "\r\n",
  "\0",
  "<<: ", "%YAML 1.1\n", "# ", "'", '"', "\\", "\u2028", "\uD800", "null", "true", ".nan", "0x1f", "1e999", "__proto__",
  "constructor", "apiVersion: projectcalico.org/v3\n", "kind: GlobalNetworkPolicy\n", "ingress:", "action: Allow", "  ",
];

/** A text with a few places cut, doubled, or overwritten with what means something to YAML. */
const mutated = fc
  .tuple(
    fc.constantFrom(...texts),
    fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        drop: fc.nat(12),
        insert: fc.constantFrom("", ...PIECES),
      }),
      { minLength: 1, maxLength: 6 },
    ),
  )
  .map(([text, edits]) => {
    let result = text;
    for (const { at, drop, insert } of edits) {
      const place = Math.floor(at * result.length);
      result = result.slice(0, place) + insert + result.slice(place + drop);
    }
    return result;
  });

const random = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((pieces) => pieces.join("")),
);

/** What holds for any input at all. */
function checkInvariants({ resources, errors, warnings, files }: LoadResult, text: string): void {
  const lines = text.split("\n").length + 1;
  for (const { code, message, location, hint } of errors) {
    expect(code).toMatch(/^RAMPART_E_[A-Z_]+$/);
    expect(message).not.toBe("");
    expect(hint).toMatch(/\S/);
    expect(location?.file).toBe(files[0]);
    expect(location?.line).toBeGreaterThanOrEqual(1);
    expect(location?.line).toBeLessThanOrEqual(lines);
    expect(location?.column).toBeGreaterThanOrEqual(1);
    expect(message).not.toContain("the YAML parser failed");
  }
  for (const { code, location } of warnings) {
    expect(code).toMatch(/^RAMPART_W_[A-Z_]+$/);
    expect(location.line).toBeGreaterThanOrEqual(1);
  }
  const tiers = resources.tiers.map((tier) => tier.name);
  expect(tiers).toEqual(expect.arrayContaining(["default", "kube-admin", "kube-baseline"]));
}

function policyNames({ resources }: LoadResult): string[] {
  return resources.policies.map((policy) => policy.name);
}

function isRefusedByYaml(text: string): boolean {
  return parseAllDocuments(text).some((document) => document.errors.length > 0);
}

function loadInto(folder: string, text: string): LoadResult {
  const file = join(folder, "p.yaml");
  writeFileSync(file, text);
  return loadResources([file]);
}

describe("any text at all", () => {
  it("random text throws nothing and yields no resource", () => {
    const folder = temporaryFolder();
    fc.assert(
      fc.property(random, (text) => {
        const result = loadInto(folder, text);
        checkInvariants(result, text);
        const { policies, hostEndpoints, networkSets, felixConfigurations, tiers } = result.resources;
        expect([policies, hostEndpoints, networkSets, felixConfigurations].flat()).toEqual([]);
        expect(tiers).toHaveLength(3);
      }),
      { numRuns: 1500 },
    );
  });

  it("a mutated policy throws nothing; what it yields is whole and valid", () => {
    const folder = temporaryFolder();
    fc.assert(
      fc.property(mutated, (text) => {
        const result = loadInto(folder, text);
        checkInvariants(result, text);
        for (const policy of result.resources.policies) {
          expect(policy.name).toMatch(/^[-.a-z0-9]+$/);
          expect(policy.types.length).toBeGreaterThan(0);
          for (const rule of [...policy.ingress, ...policy.egress]) {
            expect(["Allow", "Deny", "Log", "Pass"]).toContain(rule.action);
            for (const { min, max } of [...rule.source.ports, ...rule.destination.ports]) {
              expect([min, max].every(Number.isInteger)).toBe(true);
              expect(min >= 1 && min <= max && max <= 65535).toBe(true);
            }
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("one broken value in a document loses that document and no other", () => {
    const folder = temporaryFolder();
    const good = texts.join("\n---\n");
    const breakage = fc.constantFrom(
      "kind: GlobalNetworkPolicy\nspec: {order: []}",
      "kind: GlobalNetworkPolicy\nmetadata: {name: [}",
      "kind: GlobalNetworkPolicy\nspec: {ingress: [{}]}",
      "kind: 7",
      "\t- x",
    );
    const whole = policyNames(loadInto(folder, good));
    expect(whole.length).toBeGreaterThan(0);
    fc.assert(
      fc.property(breakage, fc.boolean(), (broken, first) => {
        const bad = `apiVersion: projectcalico.org/v3\n${broken}\n`;
        const result = loadInto(folder, first ? `${bad}---\n${good}` : `${good}\n---\n${bad}`);
        expect(result.errors.length).toBeGreaterThan(0);
        expect(policyNames(result)).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it("what YAML itself refuses is never accepted", () => {
    const folder = temporaryFolder();
    fc.assert(
      fc.property(mutated, (text) => {
        fc.pre(isRefusedByYaml(text));
        expect(loadInto(folder, text).errors.length).toBeGreaterThan(0);
      }),
      { numRuns: 150 },
    );
  });
});
