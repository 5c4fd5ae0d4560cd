/** Options and calls that commands for a running daemon share. */
import type { Command } from "commander";
import { loadSettings } from "../config/settings.ts";
import { controlRequest } from "../control/client.ts";

/** A change of the hooks waits for other programs' iptables locks. */
const CHANGE_TIMEOUT_MS = 60_000;

export interface DaemonOptions {
  readonly config?: string;
  readonly socket?: string;
}

export function withDaemonOptions(command: Command): Command {
  return command
    .option("-c, --config <file>", "settings file, for the control socket's path")
    .option("--socket <path>", "the daemon's control socket");
}

/** Calls a method that may change what is in force; resolves when it is. @throws RampartError */
export function callDaemon({ config, socket }: DaemonOptions, method: string, params: object = {}): Promise<unknown> {
  const path = socket ?? loadSettings(config).settings.control.socket;
  return controlRequest(path, method, params, CHANGE_TIMEOUT_MS);
}
