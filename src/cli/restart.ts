/** `rampart restart`: a new process takes over the running daemon's queues, so that nothing is refused meanwhile. */
import type { Command } from "commander";
import { loadSettings } from "../config/settings.ts";
import { controlRequest } from "../control/client.ts";
import { RampartError } from "../errors/rampart-error.ts";

/** Loading and compiling a large policy takes its time. */
const RESTART_TIMEOUT_MS = 150_000;
const ANSWER_TIMEOUT_MS = 30_000;
const LOOK_INTERVAL_MS = 50;

export function registerRestart(program: Command): void {
  program
    .command("restart")
    .description("replace the running daemon by a new process; exit status 1 when that fails and the old one goes on")
    .option("-c, --config <file>", "settings file, for the control socket's path")
    .option("--socket <path>", "the daemon's control socket")
    .action(async (options: { config?: string; socket?: string }) => {
      const socket = options.socket ?? loadSettings(options.config).settings.control.socket;
      const before = await pidOf(socket);
      const answer = (await controlRequest(socket, "restart", {}, RESTART_TIMEOUT_MS)) as { queues: number };
      const now = await successorOf(socket, before);
      const how =
        answer.queues > 0
          ? `took over ${answer.queues} queue${answer.queues === 1 ? "" : "s"} from process ${before}`
          : `was started after process ${before} had ended: its queues cannot be handed over, and new connections were dropped meanwhile`;
      process.stdout.write(`process ${now} ${how}\n`);
    });
}

async function pidOf(socket: string): Promise<number> {
  return ((await controlRequest(socket, "status")) as { pid: number }).pid;
}

/** Another process than `before` answers. */
async function successorOf(socket: string, before: number): Promise<number> {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const pid = await pidOf(socket).catch(() => before);
    if (pid !== before) return pid;
    if (performance.now() > deadline) {
      throw new RampartError("RAMPART_E_RESTART", `no new process answers on ${socket}`, {
        hint: "its log tells why; `rampart status` shows what runs",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
}
