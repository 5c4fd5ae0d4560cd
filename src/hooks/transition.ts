/**
 * Carries one family's tables from what they hold to a plan, although other
 * programs change them at the same time: when a restore fails and our part of
 * the tables is no longer what was read, it is read again and retried.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { ChainPlan } from "./chain-plan.ts";
import { tablesOf } from "./chain-plan.ts";
import { planDifferences } from "./differences.ts";
import { installedChains } from "./installed.ts";
import type { Iptables } from "./iptables.ts";
import { restoreText } from "./text.ts";

const ATTEMPTS = 4;

/**
 * `saved` is iptables-save -c text just read, of every table that the plan or
 * something of ours is in. Returns the text that was in force right before the
 * change, undefined when there was nothing to change. When it throws, some of
 * the tables may be as planned and the others as they were.
 */
export async function carryOver(
  iptables: Iptables,
  family: Family,
  plan: ChainPlan,
  saved: string,
): Promise<string | undefined> {
  const tables = new Set([...tablesOf(plan), ...tablesOf(installedChains(saved))]);
  let before = saved;
  for (let attempt = 1; ; attempt++) {
    const installed = installedChains(before);
    if (planDifferences(plan, installed).length === 0) return undefined;
    try {
      await iptables.restore(family, restoreText(plan, installed));
      return before;
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof RampartError) || error.code !== "RAMPART_E_IPTABLES_FAILED") {
        throw error;
      }
      const now = await iptables.save(family, tables);
      const changed = JSON.stringify(installedChains(now)) !== JSON.stringify(installed);
      if (!changed && !isOvertaken(error.message)) throw error;
      before = now;
    }
  }
}

/** EAGAIN, but not for the lock: another iptables-legacy replaced the table between restore's own read and write. */
function isOvertaken(message: string): boolean {
  return message.includes("Resource temporarily unavailable") && !message.includes("xtables lock");
}
