/** Results of policy tests for people: a line a case, and for each that failed the path to its verdict. */
import { formatError } from "../errors/rampart-error.ts";
import { renderExplanation } from "../explain/render.ts";
import type { CaseResult } from "./run-cases.ts";

export function renderResult(result: CaseResult): string {
  const { name } = result.case;
  if (result.outcome === "passed") return `ok    ${name}\n`;
  const { file, line } = result.case.location;
  const head = `${result.outcome === "failed" ? "FAIL " : "ERROR"} ${name} (${file}:${line})\n`;
  return `${head}${indent(details(result))}`;
}

/** What went wrong, without the name of the case; empty if nothing did. */
export function details(result: CaseResult): string {
  if (result.outcome === "passed") return "";
  if (result.outcome === "error") return `${formatError(result.error)}\n`;
  return `${result.problem}\n${renderExplanation(result.explanation)}`;
}

export function renderTotals(results: readonly CaseResult[]): string {
  const count = (outcome: CaseResult["outcome"]): number => results.filter((each) => each.outcome === outcome).length;
  const parts = [`${count("passed")} passed`, `${count("failed")} failed`];
  if (count("error") > 0) parts.push(`${count("error")} could not be asked`);
  return `${parts.join(", ")}\n`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "      ");
}
