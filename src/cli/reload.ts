/** `rampart reload`: makes the running daemon load its policy files now, and says what came of it. */
import type { Command } from "commander";
import { loadSettings } from "../config/settings.ts";
import { controlRequest } from "../control/client.ts";

const RELOAD_TIMEOUT_MS = 60_000;

export function registerReload(program: Command): void {
  program
    .command("reload")
    .description("load the policy files again now; exit status 1 when they have errors and nothing was changed")
    .option("-c, --config <file>", "settings file, for the control socket's path")
    .option("--socket <path>", "the daemon's control socket")
    .action(async (options: { config?: string; socket?: string }) => {
      const socket = options.socket ?? loadSettings(options.config).settings.control.socket;
      const answer = await controlRequest(socket, "reload", {}, RELOAD_TIMEOUT_MS);
      const { generation, errors } = answer as { generation: number; errors: string[] };
      for (const error of errors) process.stderr.write(`${error}\n`);
      process.stdout.write(errors.length === 0 ? `generation ${generation} in force\n` : "nothing was changed\n");
      if (errors.length > 0) process.exitCode = 1;
    });
}
