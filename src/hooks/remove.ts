/**
 * Takes away everything that is ours, in both families and both variants, and
 * nothing else: also what an earlier run left behind with other settings.
 */
import type { Family } from "../address/address.ts";
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
  /** Leaves this variant's hooks of these families in place. */
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
      const before = await carryOver(iptables, family, NO_CHAINS, await iptables.saveExisting(family, TABLES));
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
