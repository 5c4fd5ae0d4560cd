import { describe, expect, it } from "vitest";
import { andSelectors, mapLabels, notSelector, replaceCalls, selectorOf } from "../../src/selector/compose.ts";
import { parseSelector } from "../../src/selector/parse.ts";

const root = (text: string) => parseSelector(text).root;
const text = (node: ReturnType<typeof root>): string => selectorOf(node).text;

describe("selectors made out of selectors", () => {
  it("a conjunction leaves out all(), is flat, and of nothing is all()", () => {
    expect(text(andSelectors([]))).toBe("all()");
    expect(text(andSelectors([root("all()"), root("a == 'b'"), root("all()")]))).toBe('a == "b"');
    expect(text(andSelectors([root("has(a) && has(b)"), root("has(c) || has(d)")]))).toBe(
      "has(a) && has(b) && (has(c) || has(d))",
    );
  });

  it("a conjunction does not take the all() out of a negation", () => {
    expect(text(andSelectors([root("!all()"), root("has(a)")]))).toBe("!all() && has(a)");
  });

  it("renaming reaches every label and no value", () => {
    const some = "a == 'a' && (b != 'b' || !has(c)) && d in {'d'} && e not in {'e'}";
    const rest = "f contains 'f' && g starts with 'g' && all()";
    expect(text(mapLabels(root(`${some} && ${rest}`), (label) => `x.${label}`))).toBe(
      'x.a == "a" && (x.b != "b" || !has(x.c)) && x.d in {"d"} && x.e not in {"e"} && x.f contains "f" && ' +
        'x.g starts with "g" && all()',
    );
  });

  it("calls are replaced at every depth; one that is not named stays", () => {
    const nested = root("!(all() || global()) && has(a)");
    expect(text(replaceCalls(nested, { all: root("has(n)") }))).toBe("!(has(n) || global()) && has(a)");
    expect(text(replaceCalls(nested, { global: root("!has(n)") }))).toBe("!(all() || !has(n)) && has(a)");
  });

  it("a negation of a negation is the selector itself", () => {
    expect(text(notSelector(notSelector(root("has(a)"))))).toBe("has(a)");
  });

  it("the key is that of the same selector written by hand, and the text parses back", () => {
    const made = selectorOf(andSelectors([root("b in {'y', 'x'}"), root("has(a)")]));
    expect(made.key).toBe(parseSelector("has(a) && b in {'x', 'y'}").key);
    expect(parseSelector(made.text).root).toEqual(made.root);
  });
});
