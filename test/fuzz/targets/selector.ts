/** Selectors: a syntax error with a place, or a selector that survives being printed and chooses the same labels. */
import { formatSelector } from "../../../src/selector/format.ts";
import { matchesSelector } from "../../../src/selector/match.ts";
import { parseSelector } from "../../../src/selector/parse.ts";
import { SelectorSyntaxError } from "../../../src/selector/syntax-error.ts";
import type { Selector } from "../../../src/selector/ast.ts";
import type { Random } from "../../packet/random.ts";
import { mutateText } from "../mutate-text.ts";
import { must, target } from "../target.ts";

const SELECTORS = [
  "all()",
  "has(a) && !has(b)",
  "a == 'x' || b != \"y\"",
  "a in {'x', 'y'} && (b not in {'x'} || c contains 'web')",
  "!(a starts with 'x' && b ends with \"y\") || global()",
  "projectcalico.org/name == 'ns' && in in {'',}",
];
const PIECES = [
  ..."!()&|={},'\" \t\nax".split(""),
  ..."has( all( global( has all == != && || contains starts with ends in not notin 'x' {'a'} a.b/c é".split(" "),
  "__proto__",
  "has(a)",
  " && ",
  "||",
  "(",
];
const LABELS = ["a", "b", "c", "in", "__proto__", "constructor"];
const VALUES = ["", "x", "y", "web", "xy"];

interface SelectorInput {
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
}

function generate(random: Random): SelectorInput {
  const pieces = Array.from({ length: random.below(16) }, () => random.pick(PIECES));
  const text = random.below(4) === 0 ? pieces.join("") : mutateText(random, random.pick(SELECTORS), PIECES, SELECTORS);
  const entries = Array.from({ length: random.below(5) }, () => [random.pick(LABELS), random.pick(VALUES)]);
  return { text, labels: Object.fromEntries(entries) as Record<string, string> };
}

function check({ text, labels }: SelectorInput): boolean {
  let selector: Selector;
  try {
    selector = parseSelector(text);
  } catch (error) {
    if (!(error instanceof SelectorSyntaxError)) throw error;
    must(error.offset >= 0 && error.offset <= text.length, `an error at ${error.offset} of ${text.length}`);
    return false;
  }
  const written = formatSelector(selector.root);
  const printed = parseSelector(written);
  const canonical = parseSelector(selector.key);
  must(printed.key === selector.key, "another key once printed");
  must(canonical.key === selector.key, "the key is not its own key");
  must(formatSelector(printed.root) === written, "printed otherwise the second time");
  const chooses = matchesSelector(selector.root, labels);
  must(matchesSelector(printed.root, labels) === chooses, "chooses otherwise once printed");
  must(matchesSelector(canonical.root, labels) === chooses, "its key chooses otherwise");
  return true;
}

export const selectorTarget = target("selector", 20_000, generate, check, JSON.stringify);
