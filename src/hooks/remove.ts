/**
 * Takes away everything that is ours, in both families and both variants, and
 * nothing else: also what an earlier run left behind with other settings.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { inTable, NO_CHAINS } from "./chain-plan.ts";
import { runCommand } from "./command.ts";
import type { CommandRunner } from "./command.ts";
import { TABLES } from "./hook-point.ts";
import { installedChains } from "./installed.ts";
import type { Variant } from "./iptables.ts";
import { carryOver } from "./transition.ts";
import { ipv6Support, openAllVariants } from "./variant.ts";

export interface RemoveOptions {
  readonly lockWaitSeconds: number;
  /**
   * Leaves this variant's hooks of these families in place, and the other variant's, too, without the right to look at
   * them: iptables-legacy takes CAP_NET_RAW.
   */
  readonly keep?: { readonly variant: Variant; readonly families: readonly Family[] };
  readonly run?: CommandRunner;
}

/**
 * Returns a sentence for each family and variant something was removed from. Throws
 * RAMPART_E_IPTABLES_MISSING without any iptables, RAMPART_E_PRIVILEGE,
 * RAMPART_E_IPTABLES_FAILED.
 */
export async function removeHooks(options: RemoveOptions): Promise<string[]> {
  const families: Family[] = (await ipv6Support()).supported ? [4, 6] : [4];
  const { lockWaitSeconds, keep, run = runCommand } = options;
  const removed: string[] = [];
  for (const iptables of await openAllVariants({ lockWaitSeconds, families, run })) {
    for (const family of families) {
      if (keep?.variant === iptables.variant && keep.families.includes(family)) continue;
      const saved = await readable(() => iptables.saveExisting(family, TABLES), keep !== undefined);
      if (saved === undefined) continue;
      const before = await carryOver(iptables, family, NO_CHAINS, saved);
      if (before === undefined) continue;
      const { chains, jumps } = installedChains(before);
      removed.push(
        `IPv${family}, iptables-${iptables.variant}: removed ${jumps.length} jumps and ${chains.length} chains (`
          + `${chains.map((chain) => inTable(chain.table, chain.name)).join(", ")})`,
      );
    }
  }
  return removed;
}

/** Undefined without the right to read, where that is `excused`. */
async function readable(read: () => Promise<string>, excused: boolean): Promise<string | undefined> {
  try {
    return await read();
  } catch (error) {
    if (excused && error instanceof RampartError && error.code === "RAMPART_E_PRIVILEGE") return undefined;
    throw error;
  }
}
