/** `rampart hooks show | verify | remove`: the kernel side, seen and undone without a running daemon. */
import type { Command } from "commander";
import { loadSettings } from "../config/settings.ts";
import { controlRequest } from "../control/client.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { HookInstaller } from "../hooks/apply.ts";
import type { HookConfig } from "../hooks/hook-config.ts";
import { planHooks } from "../hooks/plan.ts";
import { removeHooks } from "../hooks/remove.ts";
import { restoreText } from "../hooks/text.ts";
import type { VariantSetting } from "../hooks/variant.ts";

export interface HookPlanInput {
  readonly config: HookConfig;
  readonly variant: VariantSetting;
  readonly ipv6: boolean;
  readonly lockWaitSeconds: number;
}

/** What the daemon would install under this settings file; undefined for the default one. */
export type PlanFromConfig = (configFile: string | undefined) => Promise<HookPlanInput>;

/** Without a settings file to ask: as long as another program normally holds the lock, and more. */
const REMOVE_LOCK_WAIT_SECONDS = 30;

/** Adds `hooks` and its subcommands. Errors are thrown for the program's own handler to print. */
export function registerHooks(program: Command, planFromConfig: PlanFromConfig): void {
  const hooks = program.command("hooks").description("the iptables rules that hand packets to rampart");

  hooks
    .command("show")
    .description("print what would be installed, as iptables-restore text")
    .option("-c, --config <file>", "settings file")
    .action(async (options: { config?: string }) => {
      const { config, ipv6 } = await planFromConfig(options.config);
      for (const family of ipv6 ? ([4, 6] as const) : ([4] as const)) {
        const command = family === 4 ? "iptables-restore" : "ip6tables-restore";
        print(`# IPv${family}, for ${command} --noflush\n${restoreText(planHooks(config, family))}`);
      }
    });

  hooks
    .command("verify")
    .description("compare the installed rules with what the settings ask for; exit status 1 when they differ")
    .option("-c, --config <file>", "settings file")
    .action(async (options: { config?: string }) => {
      const { config, variant, ipv6, lockWaitSeconds } = await planFromConfig(options.config);
      const installer = new HookInstaller({ variant, lockWaitSeconds, ipv6, marks: config.marks });
      // The generation is the running daemon's affair: any is right.
      const generation = (await installer.installedGeneration()) ?? config.generation;
      const [differences] = await closest(installer, { ...config, generation });
      print(`${differences.length === 0 ? `all in place, generation ${generation}` : differences.join("\n")}\n`);
      if (differences.length > 0) process.exitCode = 1;
    });

  hooks
    .command("remove")
    .description("take away every rule and chain of rampart, IPv4 and IPv6, iptables-nft and iptables-legacy")
    .option("-c, --config <file>", "settings file, to find a daemon that still runs")
    .option("--force", "also while a daemon runs, which will put its hooks back")
    .action(async (options: { config?: string; force?: boolean }) => {
      if (options.force !== true) await refuseWhileDaemonRuns(options.config);
      const removed = await removeHooks({ lockWaitSeconds: REMOVE_LOCK_WAIT_SECONDS });
      print(`${removed.length === 0 ? "nothing of rampart was there" : removed.join("\n")}\n`);
    });
}

/**
 * The differences, fewest first, from what a daemon may have in place: it adopts older connections or does not, and
 * without offload it has seen DNAT of local packets or has not.
 */
async function closest(installer: HookInstaller, config: HookConfig): Promise<string[][]> {
  const possible = [true, false].flatMap((adoptOlder) => {
    const seen = config.offload === "none" ? [true, false] : [config.outputNat];
    return seen.map((outputNat) => ({ ...config, adoptOlder, outputNat }));
  });
  const differences = await Promise.all(possible.map((each) => installer.verify(each)));
  return differences.toSorted((a, b) => a.length - b.length);
}

/** A running daemon repairs its hooks, so removing them under it only opens the host for a moment. */
async function refuseWhileDaemonRuns(configFile: string | undefined): Promise<void> {
  let pid: unknown;
  try {
    const { settings } = loadSettings(configFile);
    ({ pid } = (await controlRequest(settings.control.socket, "status")) as { pid?: unknown });
  } catch {
    // No daemon answers, or the settings are what is broken: then removing is what helps.
    return;
  }
  throw new RampartError("RAMPART_E_DAEMON_RUNS", `the daemon (process ${String(pid)}) runs and would put its hooks back`, {
    hint: "stop it first (systemctl stop rampart), or use --force",
  });
}

function print(text: string): void {
  process.stdout.write(text);
}
