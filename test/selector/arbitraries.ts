/** Selectors and labels over a small vocabulary, so that they often meet. */
import * as fc from "fast-check";
import type { Labels } from "../../src/resources/types.ts";

const LABELS = ["a", "b", "role", "in", "constructor", "__proto__"];
const VALUES = ["", "x", "y", "web", "web-1", "1-web"];

/** Valid selector text, in the grammar's variety of spellings. */
export function arbitrarySelectorText(): fc.Arbitrary<string> {
  const label = fc.constantFrom(...LABELS);
  const value = fc.constantFrom(...VALUES).chain((text) => fc.constantFrom(`'${text}'`, `"${text}"`));
  const values = fc
    .tuple(fc.array(value, { maxLength: 3 }), fc.boolean())
    .map(([list, trailing]) => `{${list.join(", ")}${trailing && list.length > 0 ? "," : ""}}`);
  const scalar = fc.constantFrom("==", " != ", " contains ", " starts with ", "\tendswith ");
  const { node } = fc.letrec<{ node: string; leaf: string; list: string }>((tie) => ({
    leaf: fc.oneof(
      fc.constantFrom("all()", "global( )"),
      label.map((name) => `has(${name})`),
      fc.tuple(label, scalar, value).map((parts) => parts.join("")),
      fc.tuple(label, fc.constantFrom(" in ", " not in", " notin "), values).map((parts) => parts.join("")),
    ),
    list: fc
      .tuple(fc.array(tie("node"), { minLength: 2, maxLength: 3 }), fc.constantFrom(" && ", "||"))
      .map(([operands, operator]) => operands.map((operand) => `(${operand})`).join(operator)),
    node: fc.oneof(
      { maxDepth: 3, depthIdentifier: "selector" },
      tie("leaf"),
      tie("leaf").map((leaf) => `! ${leaf}`),
      fc.tuple(tie("leaf"), tie("leaf"), tie("leaf")).map(([a, b, c]) => `${a} || ${b}&&${c}`),
      tie("list"),
      tie("node").map((operand) => `!(${operand})`),
    ),
  }));
  return node;
}

export function arbitraryLabels(): fc.Arbitrary<Labels> {
  const entry = fc.tuple(fc.constantFrom(...LABELS), fc.constantFrom(...VALUES));
  return fc.array(entry, { maxLength: 4 }).map((entries) => Object.fromEntries(entries));
}
