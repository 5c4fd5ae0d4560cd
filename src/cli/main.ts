#!/usr/bin/env node
/** The command line: one file a command, this one puts them together and prints what they throw. */
import { Command } from "commander";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { version } from "../daemon/status.ts";
import { registerApply } from "./apply.ts";
import { registerCheck } from "./check.ts";
import { registerConfirm } from "./confirm.ts";
import { registerExplain } from "./explain.ts";
import { planFromConfig } from "./hook-plan.ts";
import { registerHooks } from "./hooks.ts";
import { registerImport } from "./import.ts";
import { registerReload } from "./reload.ts";
import { registerRun } from "./run.ts";
import { registerStatus } from "./status.ts";
import { registerTap } from "./tap.ts";
import { registerTest } from "./test.ts";

const program = new Command("rampart")
  .description("host firewall: Calico-style policies from YAML, enforced through NFQUEUE, without a cluster")
  .version(version);
registerRun(program);
registerCheck(program);
registerExplain(program);
registerTest(program);
registerImport(program);
registerStatus(program);
registerReload(program);
registerApply(program);
registerConfirm(program);
registerTap(program);
registerHooks(program, planFromConfig);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof RampartError ? formatError(error) : String((error as Error).stack ?? error)}\n`);
  process.exit(1);
}
