/** `rampart run`: what can be said on its command line. The daemon itself is loaded when it is asked for. */
import { type Command, InvalidArgumentError } from "commander";
import { boundMemory } from "../daemon/memory-bounds.ts";
import { TAKEOVER_OPTION } from "../daemon/successor.ts";
import { loadNative } from "../native/load.ts";

export function registerRun(program: Command): void {
  program
    .command("run")
    .description("protect this host: load the policy, install the hooks, judge packets")
    .option("-c, --config <file>", "settings file (default: /etc/rampart/rampart.yaml, if it exists)")
    .option("--profile <file>", "write a CPU profile of the packet path (.cpuprofile, for Chrome DevTools or speedscope)")
    .option(TAKEOVER_OPTION, "take over from the daemon that runs, if one does, without dropping a packet")
    .option("--profile-seconds <number>", "how long to profile, from the start on", wholeSeconds, 30)
    .action(async (options: RunOptions) => {
      boundMemory(loadNative());
      // Not before: what loading the daemon's modules takes for a moment stays for good.
      const { runDaemon } = await import("./run-daemon.ts");
      await runDaemon(options);
    });
}

export interface RunOptions {
  readonly config?: string;
  readonly profile?: string;
  readonly profileSeconds: number;
  readonly takeover?: boolean;
}

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError("it must be a whole number from 1 to 86400.");
}
