import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SelectorNode } from "../../src/selector/ast.ts";
import { formatSelector } from "../../src/selector/format.ts";
import { matchesSelector } from "../../src/selector/match.ts";
import { parseSelector } from "../../src/selector/parse.ts";
import { SelectorSyntaxError } from "../../src/selector/syntax-error.ts";
import { arbitraryLabels, arbitrarySelectorText } from "./arbitraries.ts";

describe("the grammar of selectors (SEMANTICS 2)", () => {
  const accepted: [string, SelectorNode][] = [
    ["", { op: "all" }],
    [" \t ", { op: "all" }],
    ["all()", { op: "all" }],
    ["all( \t)", { op: "all" }],
    ["global()", { op: "global" }],
    ["has(a)", { op: "has", label: "a" }],
    ["has( a\t)", { op: "has", label: "a" }],
    ["a == 'b'", { op: "eq", label: "a", value: "b" }],
    ["a=='b'", { op: "eq", label: "a", value: "b" }],
    ['a == "it\'s"', { op: "eq", label: "a", value: "it's" }],
    ["a == 'say \"x\"'", { op: "eq", label: "a", value: 'say "x"' }],
    ["a == 'no \\n escape\\'", { op: "eq", label: "a", value: "no \\n escape\\" }],
    ["a == ''", { op: "eq", label: "a", value: "" }],
    ["a != 'b'", { op: "ne", label: "a", value: "b" }],
    ["a contains 'b'", { op: "contains", label: "a", value: "b" }],
    ["a contains'b'", { op: "contains", label: "a", value: "b" }],
    ["a starts with 'b'", { op: "startsWith", label: "a", value: "b" }],
    ["a startswith 'b'", { op: "startsWith", label: "a", value: "b" }],
    ["a ends\twith 'b'", { op: "endsWith", label: "a", value: "b" }],
    ["a endswith 'b'", { op: "endsWith", label: "a", value: "b" }],
    ["a in {'b', \"c\"}", { op: "in", label: "a", values: ["b", "c"] }],
    ["a in{'b'}", { op: "in", label: "a", values: ["b"] }],
    ["a in {}", { op: "in", label: "a", values: [] }],
    ["a in { 'b' , }", { op: "in", label: "a", values: ["b"] }],
    ["a not in {'b'}", { op: "notIn", label: "a", values: ["b"] }],
    ["a notin {'b'}", { op: "notIn", label: "a", values: ["b"] }],
    ["!has(a)", { op: "not", operand: { op: "has", label: "a" } }],
    ["! a == 'b'", { op: "not", operand: { op: "eq", label: "a", value: "b" } }],
    ["!!has(a)", { op: "has", label: "a" }],
    [
      "!has(a) && has(b)",
      {
        op: "and",
        operands: [
          { op: "not", operand: { op: "has", label: "a" } },
          { op: "has", label: "b" },
        ],
      },
    ],
    [
      "has(a) || has(b) && has(c)",
      {
        op: "or",
        operands: [
          { op: "has", label: "a" },
          {
            op: "and",
            operands: [
              { op: "has", label: "b" },
              { op: "has", label: "c" },
            ],
          },
        ],
      },
    ],
    [
      "(has(a)||has(b))&&has(c)",
      {
        op: "and",
        operands: [
          {
            op: "or",
            operands: [
              { op: "has", label: "a" },
              { op: "has", label: "b" },
            ],
          },
          { op: "has", label: "c" },
        ],
      },
    ],
    // Keywords are keywords only right after a label.
    ["in in {'x'}", { op: "in", label: "in", values: ["x"] }],
    ["contains contains 'x'", { op: "contains", label: "contains", value: "x" }],
    ["not not in {'x'}", { op: "notIn", label: "not", values: ["x"] }],
    ["has == 'x'", { op: "eq", label: "has", value: "x" }],
    ["all != 'x'", { op: "ne", label: "all", value: "x" }],
    ["has(in)", { op: "has", label: "in" }],
    // A label may start with any of its characters.
    ["9 == 'x'", { op: "eq", label: "9", value: "x" }],
    [".a == 'x'", { op: "eq", label: ".a", value: "x" }],
    ["-a == 'x'", { op: "eq", label: "-a", value: "x" }],
    ["/a == 'x'", { op: "eq", label: "/a", value: "x" }],
    ["k8s.io/a_b-c == 'x'", { op: "eq", label: "k8s.io/a_b-c", value: "x" }],
    [`has(${"a".repeat(512)})`, { op: "has", label: "a".repeat(512) }],
  ];
  it.each(accepted)("%j", (text, root) => {
    expect(parseSelector(text).root).toEqual(root);
  });

  const rejected: [text: string, offset: number][] = [
    ["a", 1],
    ["a b", 2],
    ["a == b", 5],
    ["a == ", 5],
    ["'a' == 'b'", 0],
    ["'a' == b", 0],
    ["a = 'b'", 2],
    ["has(a) & has(b)", 7],
    ["has(a) | has(b)", 7],
    ["has(a) &&", 9],
    ["has(a) has(b)", 7],
    ["has (a)", 4],
    ["all ()", 4],
    ["global ()", 7],
    ["has()", 4],
    ["has(a b)", 6],
    ["has('a')", 4],
    ["all(a)", 4],
    ["a inn {'b'}", 2],
    ["a IN {'b'}", 2],
    ["a contain 'b'", 2],
    ["a containsx 'b'", 2],
    ["a starts withx 'b'", 2],
    ["a in ['b']", 5],
    ["a in {b}", 6],
    ["a in {,}", 6],
    ["a in {'b' 'c'}", 10],
    ["a in {'b'", 9],
    ["a not == 'b'", 2],
    ["a == 'b", 5],
    ["a == 'b\"", 5],
    ["(has(a)", 7],
    ["has(a))", 6],
    ["()", 1],
    ["!", 1],
    ["has(a)\n", 6],
    ["\nhas(a)", 0],
    ["has(a) &&\nhas(b)", 9],
    ["has(a)\u00a0", 6],
    ["ä == 'b'", 0],
    [`has(${"a".repeat(513)})`, 4],
  ];
  it.each(rejected)("rejects %j", (text, offset) => {
    const error = syntaxError(text);
    expect(error).toMatchObject({ name: "SelectorSyntaxError", offset });
    expect(error?.message).toContain(error?.expected);
  });

  it("says where, what was expected and what is there", () => {
    expect(syntaxError("role == web")?.message).toBe(
      'selector: expected a quoted string at character 9, found "web"',
    );
    expect(syntaxError("role in {'a'")?.message).toBe(
      "selector: expected , or } at character 13, found the end of the selector",
    );
  });

  it("bounds bracket depth, so that hostile text cannot exhaust the stack", () => {
    expect(parseSelector(nested(200)).key).toBe("has(a)");
    expect(syntaxError(nested(201))).toMatchObject({ offset: 200 });
    expect(syntaxError("(".repeat(1_000_000))).toMatchObject({ offset: 200 });
    expect(parseSelector(`${"!".repeat(100_001)}has(a)`).key).toBe("!has(a)");
    expect(parseSelector(Array<string>(10_000).fill("has(a)").join("||")).key).toBe("has(a)");
  });

  it("throws nothing but SelectorSyntaxError on any text", () => {
    const piece = fc.constantFrom(
      ..."!()&|={},'\" \t\nax".split(""),
      ..."has( all( global( has all == != && || contains starts with ends in not notin 'x' {'a'} a.b/c é".split(" "),
    );
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.array(piece).map((list) => list.join("")));
    fc.assert(
      fc.property(text, (each) => {
        const error = syntaxError(each);
        if (error === undefined) return;
        expect(error.offset).toBeGreaterThanOrEqual(0);
        expect(error.offset).toBeLessThanOrEqual(each.length);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("a selector's key", () => {
  const equal: [string, string][] = [
    ["", "all()"],
    ["a in {'x', 'y'}", "a in {'y','x','y',}"],
    ["has(a) && has(b)", "has(b)&&has(a)"],
    ["has(a) || has(b) || has(a)", "has(b) || has(a)"],
    ["(has(a) && has(b)) && has(c)", "has(c) && (has(b) && has(a))"],
    ["!(!has(a))", "has(a)"],
    ["!a == 'b'", "!(a == \"b\")"],
    ["(has(a) || has(a)) && has(b)", "has(b) && has(a)"],
  ];
  it.each(equal)("%j and %j share one", (a, b) => {
    expect(parseSelector(a).key).toBe(parseSelector(b).key);
  });

  const different: [string, string][] = [
    ["all()", "global()"],
    ["has(a) && has(b)", "has(a) || has(b)"],
    ["has(a) || has(b) && has(c)", "(has(a) || has(b)) && has(c)"],
    ["!(has(a) && has(b))", "!has(a) && has(b)"],
    ["a == 'b'", "a contains 'b'"],
    ["a in {'x', 'y'}", "a in {'x, y'}"],
    ["a in {}", "a in {''}"],
  ];
  it.each(different)("%j and %j do not", (a, b) => {
    expect(parseSelector(a).key).not.toBe(parseSelector(b).key);
  });

  it("keeps the brackets between two negations, which would be none without them", () => {
    const { root } = parseSelector("!(!has(a))");
    expect(parseSelector(formatSelector(root)).root).toEqual(root);
  });

  it("parses back to itself, and selects what the selector selects", () => {
    fc.assert(
      fc.property(arbitrarySelectorText(), arbitraryLabels(), (text, labels) => {
        const selector = parseSelector(text);
        const printed = parseSelector(formatSelector(selector.root));
        const canonical = parseSelector(selector.key);
        expect(printed.key).toBe(selector.key);
        expect(canonical.key).toBe(selector.key);
        const matches = matchesSelector(selector.root, labels);
        expect(matchesSelector(printed.root, labels)).toBe(matches);
        expect(matchesSelector(canonical.root, labels)).toBe(matches);
      }),
      { numRuns: 5_000 },
    );
  });
});

function nested(depth: number): string {
  return `${"(".repeat(depth)}has(a)${")".repeat(depth)}`;
}

/** The syntax error of a text; undefined if it parses. Anything else that is thrown fails the test. */
function syntaxError(text: string): SelectorSyntaxError | undefined {
  try {
    parseSelector(text);
    return undefined;
  } catch (error) {
    if (error instanceof SelectorSyntaxError) return error;
    throw error;
  }
}
