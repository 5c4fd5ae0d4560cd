/** `rampart run`: the daemon in the foreground, until SIGTERM or SIGINT; SIGHUP loads the policy again. */
import { type Command, InvalidArgumentError } from "commander";
import { loadSettings } from "../config/settings.ts";
import { Daemon } from "../daemon/daemon.ts";
import { openLogOutput } from "../daemon/log-output.ts";
import { createLogger } from "../daemon/logger.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";

const STANDARD_OUTPUT = 1;

export function registerRun(program: Command): void {
  program
    .command("run")
    .description("protect this host: load the policy, install the hooks, judge packets")
    .option("-c, --config <file>", "settings file (default: /etc/rampart/rampart.yaml, if it exists)")
    .option("--profile <file>", "write a CPU profile of the packet path (.cpuprofile, for Chrome DevTools or speedscope)")
    .option("--profile-seconds <number>", "how long to profile, from the start on", wholeSeconds, 30)
    .action(runDaemon);
}

interface RunOptions {
  readonly config?: string;
  readonly profile?: string;
  readonly profileSeconds: number;
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("it must be a whole number from 1 to 86400.");
}

async function runDaemon({ config, profile, profileSeconds }: RunOptions): Promise<void> {
  const { settings, file, warnings } = loadSettings(config);
  const output = openLogOutput(STANDARD_OUTPUT);
  const log = createLogger(settings.log, output);
  for (const warning of warnings) log.warn({ code: warning.code, ...warning.location }, formatError(warning));
  log.info({ settings: file ?? "built-in defaults", policies: settings.policy.paths }, "starting");

  const fatal = (error: Error): void => {
    // Without its queue reader the firewall is closed for new connections; the supervisor starts a new one.
    log.fatal({ err: error }, error.message);
    process.exit(1);
  };
  const daemon = new Daemon(settings, log, output, fatal);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void daemon.stop().then(() => process.exit(0), fatal);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.on("SIGHUP", () => void daemon.reload("SIGHUP"));
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", (reason) => fatal(reason instanceof Error ? reason : new Error(String(reason))));
  try {
    if (profile !== undefined) daemon.profile({ file: profile, seconds: profileSeconds });
    await daemon.start();
  } catch (error) {
    const code = error instanceof RampartError ? error.code : undefined;
    log.fatal({ code, ...(code === undefined ? { err: error } : {}) }, "not started");
    throw error;
  }
}
