/** Results of policy tests as JUnit XML: a testsuite a file, a testcase a case; well-formed whatever names hold. */
import { details } from "./report.ts";
import type { CaseResult } from "./run-cases.ts";

export interface FileResults {
  readonly file: string;
  readonly results: readonly CaseResult[];
}

export function junitXml(files: readonly FileResults[]): string {
  const suites = files.map(({ file, results }) => {
    const head = `  <testsuite name="${escape(file)}" ${counts(results)}>\n`;
    return `${head}${results.map((result) => testcase(file, result)).join("")}  </testsuite>\n`;
  });
  const total = counts(files.flatMap(({ results }) => results));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${total}>\n${suites.join("")}</testsuites>\n`;
}

function counts(results: readonly CaseResult[]): string {
  const of = (outcome: CaseResult["outcome"]): number => results.filter((each) => each.outcome === outcome).length;
  return `tests="${results.length}" failures="${of("failed")}" errors="${of("error")}"`;
}

function testcase(file: string, result: CaseResult): string {
  const { name, location } = result.case;
  const place = escape(file);
  const head = `    <testcase classname="${place}" name="${escape(name)}" file="${place}" line="${location.line}"`;
  if (result.outcome === "passed") return `${head}/>\n`;
  const [tag, message] =
    result.outcome === "failed"
      ? ["failure", result.problem]
      : ["error", `${result.error.code} ${result.error.message}`];
  return `${head}>\n      <${tag} message="${escape(message)}">${escape(details(result))}</${tag}>\n    </testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** For text and attributes. XML 1.0 has no way to write most control characters, so they become U+FFFD. */
function escape(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);
}
