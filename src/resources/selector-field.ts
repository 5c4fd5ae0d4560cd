/**
 * A selector as it stands in a field (SEMANTICS 2): length, newlines, syntax,
 * `global()`. An empty field is no selector, which is less than all().
 */
import type { Selector } from "../selector/ast.ts";
import { parseSelector } from "../selector/parse.ts";
import { SelectorSyntaxError } from "../selector/syntax-error.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_LENGTH = 1024;

/** undefined if nothing is given, or with the problem reported. */
export function readSelector(
  text: string | null | undefined,
  path: ValuePath,
  context: ResourceContext,
): Selector | undefined {
  return readSelectorField(text, path, context, "refused");
}

/** Like `readSelector`, for a rule's namespaceSelector: there `global()` is allowed, alone (SEMANTICS 1.4). */
export function readNamespaceSelector(
  text: string | null | undefined,
  path: ValuePath,
  context: ResourceContext,
): Selector | undefined {
  return readSelectorField(text, path, context, "alone");
}

function readSelectorField(
  text: string | null | undefined,
  path: ValuePath,
  context: ResourceContext,
  globalCall: "refused" | "alone",
): Selector | undefined {
  if (text === undefined || text === null || /^[\r\n]*$/.test(text)) return undefined;
  // Block scalars bring newlines, which are no whitespace in a selector.
  const trimmed = text.replace(/^[\r\n]+/, "");
  const skipped = text.length - trimmed.length;
  const lines = trimmed.replace(/[\r\n]+$/, "");
  const selector = lines.replaceAll(/[\r\n]/g, " ");
  if (selector !== lines) {
    context.warn("RAMPART_W_SELECTOR_NEWLINE", path, "line breaks inside a selector are read as spaces");
  }
  if (selector.length > MAX_LENGTH) {
    const message = `a selector of ${selector.length} characters`;
    context.error("RAMPART_E_LIMIT", path, message, `at most ${MAX_LENGTH} characters; use a label for the group`);
    return undefined;
  }
  const global = selector.indexOf("global(");
  if (global >= 0 && (globalCall === "refused" || !/^[ \t]*global\([ \t]*\)[ \t]*$/.test(selector))) {
    const hint = "global() is only allowed in a rule's namespaceSelector, with nothing beside it";
    context.errorInText("RAMPART_E_SELECTOR", path, skipped + global, "global() is not allowed here", hint);
    return undefined;
  }
  try {
    return parseSelector(selector);
  } catch (cause) {
    if (!(cause instanceof SelectorSyntaxError)) throw cause;
    const hint = `expected ${cause.expected}`;
    context.errorInText("RAMPART_E_SELECTOR", path, skipped + cause.offset, cause.message, hint);
    return undefined;
  }
}
