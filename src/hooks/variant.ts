/**
 * Which iptables to use. A host has up to two, with tables of their own that
 * do not see each other; mixing them gives rules nobody finds again, so the
 * one its `iptables` command stands for is ours too.
 */
import { access } from "node:fs/promises";
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { CommandRunner } from "./command.ts";
import type { FamilyPrograms, Variant } from "./iptables.ts";
import { Iptables, missingIptables } from "./iptables.ts";

export type VariantSetting = Variant | "auto";

export interface OpenOptions {
  readonly lockWaitSeconds: number;
  readonly families: readonly Family[];
  readonly run: CommandRunner;
}

const VERSION_MILLISECONDS = 10_000;
const COMMAND: Readonly<Record<Family, string>> = { 4: "iptables", 6: "ip6tables" };

/**
 * The asked-for variant, "auto" for what `iptables -V` says.
 * Throws RAMPART_E_IPTABLES_MISSING when it is not installed for every family.
 */
export async function openIptables(setting: VariantSetting, options: OpenOptions): Promise<Iptables> {
  const variant = setting === "auto" ? await hostVariant(options.run) : setting;
  const iptables = await findVariant(variant, options);
  if (iptables === undefined) throw missingIptables(`there is no iptables-${variant}`);
  return iptables;
}

/** Every variant that is installed for every family; none at all is RAMPART_E_IPTABLES_MISSING. */
export async function openAllVariants(options: OpenOptions): Promise<Iptables[]> {
  const found: Iptables[] = [];
  for (const variant of ["nft", "legacy"] as const) {
    const iptables = await findVariant(variant, options);
    if (iptables !== undefined) found.push(iptables);
  }
  if (found.length === 0) throw missingIptables("there is neither iptables-nft nor iptables-legacy");
  return found;
}

export type Ipv6Support = { readonly supported: true } | { readonly supported: false; readonly warning: string };

/** Whether this kernel (and network namespace) speaks IPv6 at all; if not, there is nothing to hook. */
export async function ipv6Support(): Promise<Ipv6Support> {
  try {
    await access("/proc/net/if_inet6");
    return { supported: true };
  } catch {
    const warning = "this kernel has no IPv6 (no /proc/net/if_inet6): IPv6 hooks are skipped";
    return { supported: false, warning };
  }
}

async function hostVariant(run: CommandRunner): Promise<Variant> {
  const said = await askVersion("iptables", run);
  if (said === undefined) throw missingIptables("there is no iptables command");
  return said.variant;
}

async function findVariant(variant: Variant, options: OpenOptions): Promise<Iptables | undefined> {
  const programs: Partial<Record<Family, FamilyPrograms>> = {};
  let version = "";
  for (const family of options.families) {
    const found = await findPrograms(COMMAND[family], variant, options.run);
    if (found === undefined) return undefined;
    programs[family] = found.programs;
    version = found.version;
  }
  return new Iptables({ variant, version, programs, lockWaitSeconds: options.lockWaitSeconds, run: options.run });
}

async function findPrograms(
  command: string,
  variant: Variant,
  run: CommandRunner,
): Promise<{ programs: FamilyPrograms; version: string } | undefined> {
  for (const prefix of [`${command}-${variant}`, command]) {
    const said = await askVersion(`${prefix}-restore`, run);
    if (said?.variant !== variant) continue;
    return { programs: { save: `${prefix}-save`, restore: `${prefix}-restore` }, version: said.version };
  }
  return undefined;
}

/** Undefined when there is no such program. `iptables v1.8.9 (nf_tables)`; before 1.8 there was legacy only. */
async function askVersion(
  program: string,
  run: CommandRunner,
): Promise<{ variant: Variant; version: string } | undefined> {
  const result = await run(program, ["-V"], { timeoutMilliseconds: VERSION_MILLISECONDS });
  if (result === undefined) return undefined;
  const version = /v(\d+(?:\.\d+)+)/.exec(result.stdout)?.[1];
  if (result.status !== 0 || version === undefined) {
    throw new RampartError("RAMPART_E_IPTABLES_FAILED", `${program} -V does not answer as iptables does`, {
      hint: `run "${program} -V" by hand to see what is installed under that name`,
      cause: result.stderr,
    });
  }
  return { variant: result.stdout.includes("nf_tables") ? "nft" : "legacy", version };
}
