/**
 * `rampart check PATH...`: validates resources without a daemon, and warns of
 * what is valid but hardly meant. Problems go to stderr one a line, the summary
 * to stdout; with --json stdout is one array of every problem and nothing else.
 */
import { hostname, networkInterfaces } from "node:os";
import type { Command } from "commander";
import { parseAddress } from "../address/address.ts";
import { loadOptions } from "../daemon/load-options.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import type { ErrorCode, RampartErrorOptions, SourceLocation } from "../errors/rampart-error.ts";
import { lint } from "../lint/lint.ts";
import type { Host } from "../lint/locks-out.ts";
import { readSshConnection } from "../lint/ssh-session.ts";
import type { Interface } from "../policy/endpoint-choice.ts";
import type { LoadResult } from "../resources/load.ts";
import { loadResources } from "../resources/load.ts";

interface Problem {
  readonly severity: "error" | "warning";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly location: SourceLocation | undefined;
  /** A document that was repaired, as it is read. */
  readonly yaml?: string;
}

export interface CheckOptions {
  readonly json?: boolean;
  /** Warnings fail the check too. */
  readonly strict?: boolean;
  /** Lost indentation is an error, as with the setting `policy.lenientYaml: false`. */
  readonly strictYaml?: boolean;
  /** Name of this host in the files; default its host name. */
  readonly node?: string;
}

/**
 * Returns the exit code: 0 if the resources could be applied, 1 if not; warnings change it only if `strict`. Resources
 * with errors are incomplete, so that nothing more is looked for in them.
 */
export function checkCommand(paths: readonly string[], options: CheckOptions, host = thisHost(options)): number {
  const result = loadResources(paths, loadOptions(options.strictYaml !== true));
  const problems = [...loadProblems(result), ...(result.errors.length === 0 ? lintProblems(result, host) : [])];
  const warnings = problems.filter(({ severity }) => severity === "warning").length;
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(problems, null, 2)}\n`);
  } else {
    for (const { code, message, yaml, ...at } of problems) {
      process.stderr.write(`${formatError(new RampartError(code, message, defined(at)))}\n`);
      if (yaml !== undefined) process.stderr.write(yaml.replaceAll(/^/gm, "    ").trimEnd().concat("\n"));
    }
    process.stdout.write(`${summary(result, warnings)}\n`);
  }
  return result.errors.length > 0 || (options.strict === true && warnings > 0) ? 1 : 0;
}

export function registerCheck(program: Command): void {
  program
    .command("check")
    .description("validate policy files and directories, without a daemon; exits with 1 if there is an error")
    .argument("<paths...>", "files, or directories of *.yaml, *.yml and *.json")
    .option("--json", "print every error and warning as one JSON array")
    .option("--strict", "exit with 1 if there is a warning, too")
    .option("--strict-yaml", "lost indentation is an error, not repaired with a warning")
    .option("--node <name>", "name of this host in the files (default: its host name)")
    .action((paths: string[], options: CheckOptions) => {
      process.exitCode = checkCommand(paths, options);
    });
}

/** Who and where we are, for the question whether the policies would end this session. */
function thisHost({ node = hostname() }: CheckOptions): Host {
  const interfaces = Object.entries(networkInterfaces()).map(([name, entries = []]): Interface => ({
    name,
    addresses: entries.flatMap(({ address }) => parseAddress(address) ?? []),
  }));
  return { node, interfaces, session: readSshConnection(process.env["SSH_CONNECTION"]) };
}

function loadProblems({ errors, warnings }: LoadResult): Problem[] {
  return [
    ...errors.map(({ code, message, hint, location }): Problem => {
      return { severity: "error", code, message, hint, location };
    }),
    ...warnings.map((warning): Problem => ({ severity: "warning", hint: undefined, ...warning })),
  ];
}

function lintProblems({ resources }: LoadResult, host: Host): Problem[] {
  return lint(resources, host).map((warning): Problem => ({ severity: "warning", ...warning }));
}

/** Only what is there: an absent option and one that is undefined are not the same to a constructor. */
function defined({ hint, location }: Pick<Problem, "hint" | "location">): RampartErrorOptions {
  return { ...(hint === undefined ? {} : { hint }), ...(location === undefined ? {} : { location }) };
}

function summary({ resources, errors, files }: LoadResult, warnings: number): string {
  const found = [
    count(resources.policies.length, "policy", "policies"),
    count(resources.hostEndpoints.length, "host endpoint", "host endpoints"),
    count(resources.networkSets.length, "network set", "network sets"),
    count(resources.tiers.length, "tier", "tiers"),
  ].join(", ");
  const verdict = errors.length === 0 ? "ok" : "not applicable as it is";
  const counts = `${count(errors.length, "error", "errors")}, ${count(warnings, "warning", "warnings")}`;
  return `${verdict}: ${count(files.length, "file", "files")}, ${found}; ${counts}`;
}

function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
