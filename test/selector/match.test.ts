import { describe, expect, it } from "vitest";
import type { Labels } from "../../src/resources/types.ts";
import { matchesSelector } from "../../src/selector/match.ts";
import { parseSelector } from "../../src/selector/parse.ts";

function matches(text: string, labels: Labels): boolean {
  return matchesSelector(parseSelector(text).root, labels);
}

describe("what a selector chooses (SEMANTICS 2)", () => {
  const web: Labels = { role: "web-1", empty: "" };
  const table: [selector: string, chosen: boolean][] = [
    ["", true],
    ["all()", true],
    ["global()", true],
    ["has(role)", true],
    ["has(other)", false],
    ["role == 'web-1'", true],
    ["role == 'WEB-1'", false],
    ["role != 'web-1'", false],
    ["role contains 'b-'", true],
    ["role starts with 'web'", true],
    ["role starts with 'eb'", false],
    ["role ends with '-1'", true],
    ["role ends with '-'", false],
    ["role in {'db', 'web-1'}", true],
    ["role not in {'db', 'web-1'}", false],
    ["role not in {'db'}", true],
    ["role in {}", false],
    ["role not in {}", true],
    // A label that is missing.
    ["other == ''", false],
    ["other in {''}", false],
    ["other contains ''", false],
    ["other starts with ''", false],
    ["other ends with ''", false],
    ["other != 'x'", true],
    ["other not in {'x'}", true],
    ["other not in {}", true],
    ["!has(other)", true],
    // A label that is there and empty.
    ["empty == ''", true],
    ["empty contains ''", true],
    ["empty != ''", false],
    ["has(empty)", true],
    // Precedence: ! over && over ||.
    ["! other == 'x'", true],
    ["!has(role) && has(other)", false],
    ["!(has(role) && has(other))", true],
    ["has(role) || has(other) && has(other)", true],
    ["(has(role) || has(other)) && has(other)", false],
  ];
  it.each(table)("%j: %j", (selector, chosen) => {
    expect(matches(selector, web)).toBe(chosen);
  });
});

describe("labels named like object properties", () => {
  const names = ["constructor", "__proto__", "hasOwnProperty", "toString"];
  it.each(names)("%s is missing unless it was set", (name) => {
    expect(matches(`has(${name})`, {})).toBe(false);
    expect(matches(`${name} contains ''`, {})).toBe(false);
    expect(matches(`${name} != 'x'`, {})).toBe(true);
    const labels = Object.fromEntries([[name, "x"]]);
    expect(matches(`${name} == 'x'`, labels)).toBe(true);
    expect(matches(`${name} not in {'x'}`, labels)).toBe(false);
  });
});
