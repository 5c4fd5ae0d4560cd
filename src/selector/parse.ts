/**
 * Text to selector, exactly by the grammar of SEMANTICS 2. Whitespace is space
 * and tab only; an operator keyword counts only right after a label, so `in` or
 * `contains` may be labels elsewhere; `has(`, `all(` and `global(` take no space
 * before the bracket. Nothing but SelectorSyntaxError is thrown, and bracket
 * depth is bounded so that hostile text cannot exhaust the stack.
 */
import type { Selector, SelectorNode } from "./ast.ts";
import { selectorOf } from "./compose.ts";
import { SelectorSyntaxError } from "./syntax-error.ts";

const MAX_DEPTH = 200;
const MAX_LABEL_LENGTH = 512;

const SPACE = /[ \t]*/y;
const LABEL = /[A-Za-z0-9_./-]+/y;
const STRING = /"([^"]*)"|'([^']*)'/y;
const OPERATORS: readonly [RegExp, Extract<SelectorNode, { readonly label: string }>["op"]][] = [
  [/==/y, "eq"],
  [/!=/y, "ne"],
  [/contains\b/y, "contains"],
  [/starts[ \t]*with\b/y, "startsWith"],
  [/ends[ \t]*with\b/y, "endsWith"],
  [/in\b/y, "in"],
  [/not[ \t]*in\b/y, "notIn"],
];

/**
 * Parses a selector; empty or blank text selects everything.
 * Throws SelectorSyntaxError, whose offset counts UTF-16 units of `text` from 0.
 */
export function parseSelector(text: string): Selector {
  return selectorOf(new Parser(text).selector(), text);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  selector(): SelectorNode {
    this.#skipSpace();
    if (this.#at === this.#text.length) return { op: "all" };
    const root = this.#or();
    if (this.#at < this.#text.length) this.#fail("&&, || or the end of the selector");
    return root;
  }

  #or(): SelectorNode {
    const operands = [this.#and()];
    while (this.#take("||")) operands.push(this.#and());
    return operands.length === 1 ? (operands[0] as SelectorNode) : { op: "or", operands };
  }

  #and(): SelectorNode {
    const operands = [this.#unary()];
    while (this.#take("&&")) operands.push(this.#unary());
    return operands.length === 1 ? (operands[0] as SelectorNode) : { op: "and", operands };
  }

  #unary(): SelectorNode {
    let negated = false;
    while (this.#take("!")) negated = !negated;
    const operand = this.#primary();
    return negated ? { op: "not", operand } : operand;
  }

  #primary(): SelectorNode {
    if (this.#take("(")) {
      if (++this.#depth > MAX_DEPTH) this.#fail(`at most ${MAX_DEPTH} levels of brackets`, this.#at - 1);
      const inner = this.#or();
      this.#depth--;
      this.#expect(")");
      return inner;
    }
    if (this.#take("all(")) return this.#call({ op: "all" });
    if (this.#take("global(")) return this.#call({ op: "global" });
    if (this.#take("has(")) return this.#call({ op: "has", label: this.#label("a label") });
    return this.#comparison(this.#label("a label, has(label), all(), global(), ! or ("));
  }

  #call(node: SelectorNode): SelectorNode {
    this.#expect(")");
    return node;
  }

  #comparison(label: string): SelectorNode {
    for (const [pattern, op] of OPERATORS) {
      if (this.#match(pattern) === undefined) continue;
      this.#skipSpace();
      if (op === "in" || op === "notIn") return { op, label, values: this.#set() };
      return { op, label, value: this.#string() } as SelectorNode;
    }
    return this.#fail("==, !=, contains, starts with, ends with, in or not in");
  }

  #set(): string[] {
    this.#expect("{");
    const values: string[] = [];
    while (!this.#take("}")) {
      values.push(this.#string());
      if (this.#take(",")) continue;
      this.#expect("}", ", or }");
      break;
    }
    return values;
  }

  #string(): string {
    const match = this.#match(STRING);
    if (match === undefined) return this.#fail("a quoted string");
    this.#skipSpace();
    return match[1] ?? (match[2] as string);
  }

  #label(expected: string): string {
    this.#skipSpace();
    const start = this.#at;
    const match = this.#match(LABEL);
    if (match === undefined) return this.#fail(expected);
    if (match[0].length > MAX_LABEL_LENGTH) this.#fail(`a label of at most ${MAX_LABEL_LENGTH} characters`, start);
    this.#skipSpace();
    return match[0];
  }

  /** Takes `token` and the space after it, if it is next. */
  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    this.#skipSpace();
    return true;
  }

  #expect(token: string, expected: string = token): void {
    if (!this.#take(token)) this.#fail(expected);
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#at = pattern.lastIndex;
    return match;
  }

  #skipSpace(): void {
    this.#match(SPACE);
  }

  #fail(expected: string, offset: number = this.#at): never {
    throw new SelectorSyntaxError(this.#text, offset, expected);
  }
}
