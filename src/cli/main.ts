#!/usr/bin/env node
/** The command line: one file a command, this one puts them together and prints what they throw. */
import { Command } from "commander";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { version } from "../daemon/version.ts";

/** Each command's module, loaded when the command is meant: a daemon has no use for those of the others. */
const commands: Readonly<Record<string, (program: Command) => Promise<void>>> = {
  run: async (program) => (await import("./run.ts")).registerRun(program),
  check: async (program) => (await import("./check.ts")).registerCheck(program),
  explain: async (program) => (await import("./explain.ts")).registerExplain(program),
  test: async (program) => (await import("./test.ts")).registerTest(program),
  import: async (program) => (await import("./import.ts")).registerImport(program),
  status: async (program) => (await import("./status.ts")).registerStatus(program),
  reload: async (program) => (await import("./reload.ts")).registerReload(program),
  apply: async (program) => (await import("./apply.ts")).registerApply(program),
  confirm: async (program) => (await import("./confirm.ts")).registerConfirm(program),
  restart: async (program) => (await import("./restart.ts")).registerRestart(program),
  tap: async (program) => (await import("./tap.ts")).registerTap(program),
  hooks: async (program) => {
    const { planFromConfig } = await import("./hook-plan.ts");
    (await import("./hooks.ts")).registerHooks(program, planFromConfig);
  },
};

const program = new Command("rampart")
  .description("host firewall: Calico-style policies from YAML, enforced through NFQUEUE, without a cluster")
  .version(version);
const named = process.argv[2] ?? "";
// Anything else is help, or a mistake that is told what there is.
const meant = Object.hasOwn(commands, named) ? [named] : Object.keys(commands);
for (const name of meant) await commands[name]?.(program);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof RampartError ? formatError(error) : String((error as Error).stack ?? error)}\n`);
  process.exit(1);
}
