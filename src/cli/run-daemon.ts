/** The daemon in the foreground, until SIGTERM or SIGINT; SIGHUP loads the policy again. */
import { loadSettings } from "../config/settings.ts";
import { Daemon } from "../daemon/daemon.ts";
import { openLogOutput } from "../daemon/log-output.ts";
import { createLogger } from "../daemon/logger.ts";
import { startSuccessor, tellPredecessor } from "../daemon/successor.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import type { RunOptions } from "./run.ts";

const STANDARD_OUTPUT = 1;

export async function runDaemon(options: RunOptions): Promise<void> {
  try {
    await startDaemon(options);
  } catch (error) {
    await tellPredecessor(error instanceof RampartError ? formatError(error) : String(error));
    throw error;
  }
}

async function startDaemon({ config, profile, profileSeconds, takeover = false }: RunOptions): Promise<void> {
  const { settings, file, warnings } = loadSettings(config);
  const output = openLogOutput(STANDARD_OUTPUT);
  const log = createLogger(settings.log, output);
  for (const warning of warnings) log.warn({ code: warning.code, ...warning.location }, formatError(warning));
  log.info({ settings: file ?? "built-in defaults", policies: settings.policy.paths }, "starting");

  const fatal = (error: Error): void => {
    // Without its queue reader the firewall is closed for new connections; the supervisor starts a new one.
    log.fatal({ err: error }, error.message);
    // Exit waits for every thread, and one that hangs in the kernel cannot be ended by us.
    if (error instanceof RampartError && error.code === "RAMPART_E_QUEUE_SILENT") process.kill(process.pid, "SIGKILL");
    process.exit(1);
  };
  const onEnd = (startAgain: boolean): void => {
    if (startAgain) startSuccessor({ takeover: false }).release();
    process.exit(0);
  };
  const daemon = new Daemon(settings, log, { output, takeover, onFatal: fatal, onEnd });
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
