/** `rampart confirm` and `rampart rollback`: how a set that `rampart apply` put in force goes on. */
import type { Command } from "commander";
import { parseApplyOutcome, parseApplyWhere } from "../control/plan.ts";
import { callDaemon, type DaemonOptions, withDaemonOptions } from "./daemon-call.ts";
import { installPolicyFiles } from "./policy-files.ts";

export function registerConfirm(program: Command): void {
  withDaemonOptions(program.command("confirm"))
    .description("keep the set that `rampart apply --confirm` put in force")
    .action((options: DaemonOptions) => end(options, "confirm", "confirmed"));
  withDaemonOptions(program.command("rollback"))
    .description("go back to the set before the one on trial, or before the last apply")
    .action((options: DaemonOptions) => end(options, "rollback", "rolled back"));
}

async function end(options: DaemonOptions, method: "confirm" | "rollback", done: string): Promise<void> {
  const where = parseApplyWhere(await callDaemon(options, "apply-where"));
  const outcome = parseApplyOutcome(await callDaemon(options, method));
  process.stdout.write(`${done}: generation ${outcome.generation} in force\n`);
  await installPolicyFiles(options, where, outcome);
}
