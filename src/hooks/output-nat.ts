/**
 * Whether DNAT may send this host's own packets elsewhere than OUTPUT sees
 * (SEMANTICS 3.4, P2): another program has rules in the nat table's OUTPUT
 * chain. Nothing is set up by looking.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { CommandRunner } from "./command.ts";
import { parseSaveText } from "./installed.ts";
import type { Iptables } from "./iptables.ts";
import { openAllVariants } from "./variant.ts";

interface OutputNatOptions {
  readonly lockWaitSeconds: number;
  readonly families: readonly Family[];
  readonly run: CommandRunner;
}

/** Looks into every variant. True also where the tables cannot be listed: then nobody can say that there is none. */
export async function hasOutputNat(options: OutputNatOptions): Promise<boolean> {
  for (const iptables of await openAllVariants(options)) {
    for (const family of options.families) {
      const text = await savedTables(iptables, family);
      if (text === undefined) return true;
      if (parseSaveText(text).rules.some(({ table, chain }) => table === "nat" && chain === "OUTPUT")) return true;
    }
  }
  return false;
}

/** Undefined where they cannot be listed, or not by us: iptables-legacy takes CAP_NET_RAW. */
async function savedTables(iptables: Iptables, family: Family): Promise<string | undefined> {
  try {
    return await iptables.saveListed(family);
  } catch (error) {
    if (error instanceof RampartError && error.code === "RAMPART_E_PRIVILEGE") return undefined;
    throw error;
  }
}
