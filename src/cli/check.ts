/**
 * `rampart check PATH...`: validates resources without a daemon. Problems go
 * to stderr one a line, the summary to stdout; with --json stdout is one array
 * of every problem and nothing else.
 */
import type { Command } from "commander";
import { formatError } from "../errors/rampart-error.ts";
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { LoadResult } from "../resources/load.ts";
import { loadResources } from "../resources/load.ts";

interface Problem {
  readonly severity: "error" | "warning";
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly location: SourceLocation | undefined;
}

/** Returns the exit code: 0 if the resources could be applied, 1 if not. Warnings do not change it. */
export function checkCommand(paths: readonly string[], options: { readonly json?: boolean }): number {
  const result = loadResources(paths);
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(problems(result), null, 2)}\n`);
  } else {
    for (const error of result.errors) process.stderr.write(`${formatError(error)}\n`);
    for (const { code, message, location } of result.warnings) {
      process.stderr.write(`${location.file}:${location.line}:${location.column}: ${code} ${message}\n`);
    }
    process.stdout.write(`${summary(result)}\n`);
  }
  return result.errors.length === 0 ? 0 : 1;
}

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description("validate policy files and directories, without a daemon; exits with 1 if there is an error")
    .argument("<paths...>", "files, or directories of *.yaml, *.yml and *.json")
    .option("--json", "print every error and warning as one JSON array")
    .action((paths: string[], options: { json?: boolean }) => {
      process.exitCode = checkCommand(paths, options);
    });
}

function problems(result: LoadResult): Problem[] {
  return [
    ...result.errors.map(({ code, message, hint, location }): Problem => ({
      severity: "error",
      code,
      message,
      hint,
      location,
    })),
    ...result.warnings.map(({ code, message, location }): Problem => ({
      severity: "warning",
      code,
      message,
      hint: undefined,
      location,
    })),
  ];
}

function summary({ resources, errors, warnings, files }: LoadResult): string {
  const found = [
    count(resources.policies.length, "policy", "policies"),
    count(resources.hostEndpoints.length, "host endpoint", "host endpoints"),
    count(resources.networkSets.length, "network set", "network sets"),
    count(resources.tiers.length, "tier", "tiers"),
  ].join(", ");
  const verdict = errors.length === 0 ? "ok" : "not applicable as it is";
  const counts = `${count(errors.length, "error", "errors")}, ${count(warnings.length, "warning", "warnings")}`;
  return `${verdict}: ${count(files.length, "file", "files")}, ${found}; ${counts}`;
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
