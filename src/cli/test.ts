/** `rampart test FILE...`: policy unit tests, without a daemon. Exit status 0 only if every case passed. */
import { writeFileSync } from "node:fs";
import type { Command } from "commander";
import { loadOptions } from "../daemon/load-options.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { readCasesFile } from "../policy-tests/cases-file.ts";
import { junitXml } from "../policy-tests/junit.ts";
import type { FileResults } from "../policy-tests/junit.ts";
import { renderResult, renderTotals } from "../policy-tests/report.ts";
import type { CaseResult } from "../policy-tests/run-cases.ts";
import { runCases } from "../policy-tests/run-cases.ts";
import { formatWarning } from "../resources/diagnostics.ts";
import { loadResources } from "../resources/load.ts";

interface TestOptions {
  readonly junit?: string;
  readonly quiet?: boolean;
  readonly strictYaml?: boolean;
}

export function registerTest(program: Command): void {
  program
    .command("test")
    .description("check policies against a file of expected verdicts; needs no daemon; exits with 1 if any differs")
    .argument("<files...>", "YAML files with policies, inventory and cases")
    .option("--junit <file>", "write the results as JUnit XML too")
    .option("--strict-yaml", "lost indentation in the policies is an error, not repaired with a warning")
    .option("-q, --quiet", "print only what failed, and the totals")
    .action((files: string[], options: TestOptions) => {
      process.exitCode = runTests(files, options) ? 0 : 1;
    });
}

/** True if every case passed. */
function runTests(files: readonly string[], { junit, quiet = false, strictYaml = false }: TestOptions): boolean {
  const done: FileResults[] = [];
  let refused = false;
  for (const file of files) {
    const results = runFile(file, strictYaml);
    if (results === undefined) {
      refused = true;
      continue;
    }
    done.push({ file, results });
    for (const result of results) {
      if (!quiet || result.outcome !== "passed") process.stdout.write(renderResult(result));
    }
  }
  const results = done.flatMap((each) => each.results);
  process.stdout.write(renderTotals(results));
  if (junit !== undefined) writeReport(junit, junitXml(done));
  return !refused && results.every(({ outcome }) => outcome === "passed");
}

/** undefined, with the errors printed, if the file or what it names cannot be used. */
function runFile(file: string, strictYaml: boolean): CaseResult[] | undefined {
  const cases = readCasesFile(file);
  if ("file" in cases) {
    const { resources, errors, warnings } = loadResources(cases.paths, loadOptions(!strictYaml));
    for (const warning of warnings) process.stderr.write(`${formatWarning(warning)}\n`);
    if (errors.length === 0) return runCases(resources, cases.cases);
    report(errors);
  } else {
    report(cases);
  }
  return undefined;
}

function report(errors: readonly RampartError[]): void {
  for (const error of errors) process.stderr.write(`${formatError(error)}\n`);
}

function writeReport(file: string, xml: string): void {
  try {
    writeFileSync(file, xml);
  } catch (cause) {
    throw new RampartError("RAMPART_E_REPORT_WRITE", `cannot write ${file}: ${(cause as Error).message}`, {
      hint: "name a file in a folder that exists and that this user may write",
      cause,
    });
  }
}
