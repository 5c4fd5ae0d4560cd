/**
 * `rampart import FILE...`: clean YAML out of articles and untidy files. The
 * report goes to stdout, or to stderr with --stdout. Nothing that is there
 * already is overwritten without --force, and nothing is written if one file
 * could not be.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { importText } from "../import/import.ts";
import type { ImportedFile, Output, OutputFile } from "../import/output.ts";
import { planOutput } from "../import/output.ts";
import { Diagnostics } from "../resources/diagnostics.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import { readSource } from "../resources/source-files.ts";

interface ImportOptions {
  readonly output: string;
  readonly stdout?: boolean;
  readonly force?: boolean;
}

/**
 * Returns the exit code: 1 if a file could not be read or a piece of it not be repaired; what could be is written.
 * @throws RampartError when the output cannot be written.
 */
export function importCommand(paths: readonly string[], options: ImportOptions): number {
  const diagnostics = new Diagnostics(DEFAULT_LIMITS.errors, 0);
  const imported = paths.flatMap((file): ImportedFile[] => {
    const text = readSource(file, DEFAULT_LIMITS, diagnostics);
    return text === undefined ? [] : [{ file, outcome: importText(file, text) }];
  });
  const output = planOutput(imported);
  const toStdout = options.stdout === true;
  if (toStdout) process.stdout.write(output.files.map(({ text }) => text).join("---\n"));
  else writeFiles(output.files, options);

  for (const error of diagnostics.errors) process.stderr.write(`${formatError(error)}\n`);
  const report = `${reportLines(output, toStdout ? undefined : options.output).join("\n")}\n`;
  (toStdout ? process.stderr : process.stdout).write(report);
  return diagnostics.errorCount > 0 || output.skipped.some(({ code }) => isLoss(code)) ? 1 : 0;
}

export function registerImport(program: Command): void {
  program
    .command("import")
    .description("find the policies in articles and untidy files, and write them as clean YAML, a file each")
    .argument("<files...>", "text or YAML files")
    .option("-o, --output <dir>", "folder to write to", "imported")
    .option("--stdout", "print the YAML instead, and the report on stderr")
    .option("--force", "overwrite files that are there already")
    .addHelpText("after", "\nExits with 1 if something that looks like policy was not written; the rest is.")
    .action((files: string[], options: ImportOptions) => {
      process.exitCode = importCommand(files, options);
    });
}

function writeFiles(files: readonly OutputFile[], { output, force }: ImportOptions): void {
  const all = files.map(({ name, text }) => ({ path: join(output, name), text }));
  try {
    const pending = all.filter(({ path, text }) => !existsSync(path) || readFileSync(path, "utf8") !== text);
    const inTheWay = pending.find(({ path }) => existsSync(path));
    if (force !== true && inTheWay !== undefined) {
      throw new RampartError("RAMPART_E_FILE_EXISTS", `${inTheWay.path} is there already, with other content`, {
        hint: "name another folder with --output, or use --force",
      });
    }
    mkdirSync(output, { recursive: true });
    for (const { path, text } of pending) writeFileSync(path, text, { flag: force === true ? "w" : "wx" });
  } catch (cause) {
    if (cause instanceof RampartError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RampartError("RAMPART_E_FILE_WRITE", `cannot write to ${output}: ${reason}`, {
      hint: "check the folder's permissions",
      cause,
    });
  }
}

function reportLines({ files, skipped }: Output, folder: string | undefined): string[] {
  const lines: { source: string; line: number; text: string }[] = [];
  for (const { name, title, source, line, repairs } of files) {
    const target = folder === undefined ? "" : ` -> ${join(folder, name)}`;
    lines.push({ source, line, text: `${source}:${line}: ${title}${target}` });
    for (const repair of repairs) {
      lines.push({ source, line, text: `  ${source}:${repair.line}: ${repair.code} ${repair.message}` });
    }
  }
  for (const { source, line, code, message } of skipped) {
    lines.push({ source, line, text: `${source}:${line}: ${code} ${message}` });
  }
  const order = [...new Set(lines.map(({ source }) => source))];
  const sorted = lines.toSorted((a, b) => order.indexOf(a.source) - order.indexOf(b.source) || a.line - b.line);
  const lost = skipped.filter(({ code }) => isLoss(code)).length;
  const repaired = files.filter(({ repairs }) => repairs.length > 0).length;
  const written = `${count(files.length, "document")}, ${repaired} of them with repairs`;
  return [...sorted.map(({ text }) => text), `${written}; ${count(lost, "problem")} in pieces that were not written`];
}

/** What was left out may have been policy. */
function isLoss(code: string): boolean {
  return code.startsWith("RAMPART_E_");
}

function count(n: number, what: string): string {
  return `${n} ${n === 1 ? what : `${what}s`}`;
}
