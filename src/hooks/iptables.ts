/**
 * The save and restore programs of one iptables variant. Reads never change a
 * table. A restore is one transaction a table: when it throws, the tables
 * before the one that failed are changed, that one and those behind it are not.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { CommandResult, CommandRunner } from "./command.ts";
import type { Table } from "./hook-point.ts";
import { TABLES } from "./hook-point.ts";

export type Variant = "nft" | "legacy";

/** The programs of one family. */
export interface FamilyPrograms {
  readonly save: string;
  readonly restore: string;
}

export interface IptablesOptions {
  readonly variant: Variant;
  /** For example "1.8.9". */
  readonly version: string;
  readonly programs: Readonly<Partial<Record<Family, FamilyPrograms>>>;
  /** How long iptables-legacy waits for the xtables lock; iptables-nft has none. */
  readonly lockWaitSeconds: number;
  readonly run: CommandRunner;
}

/** Time beyond the lock wait: a table with 100,000 rules of other programs is restored in a few seconds. */
const WORK_MILLISECONDS = 30_000;

export class Iptables {
  readonly variant: Variant;
  readonly version: string;
  readonly #options: IptablesOptions;

  constructor(options: IptablesOptions) {
    this.variant = options.variant;
    this.version = options.version;
    this.#options = options;
  }

  /** iptables-save -c of these tables in TABLES' order; the kernel sets up those that were not there. */
  async save(family: Family, tables: ReadonlySet<Table>): Promise<string> {
    let text = "";
    for (const table of TABLES) {
      if (tables.has(table)) text += await this.#saveWith(family, ["-c", "-t", table], table);
    }
    return text;
  }

  /**
   * iptables-save -c of every table there is; sets up none. Only where the
   * kernel does not let us list iptables-legacy's tables (a user namespace that
   * its owner entered without root), `tables` are asked for by name.
   */
  async saveExisting(family: Family, tables: readonly string[]): Promise<string> {
    const listed = await this.saveListed(family);
    if (listed !== undefined) return listed;
    let text = "";
    for (const table of tables) {
      try {
        text += await this.#saveWith(family, ["-c", "-t", table], "filter");
      } catch (error) {
        // This kernel was built without it.
        if (!(error instanceof RampartError) || !error.message.includes("Table does not exist")) throw error;
      }
    }
    return text;
  }

  /** iptables-save -c of every table there is; undefined where the kernel does not let us list them. */
  async saveListed(family: Family): Promise<string | undefined> {
    try {
      return await this.#saveWith(family, ["-c"], "filter");
    } catch (error) {
      if (error instanceof RampartError && String(error.cause).includes("Failed to list table names")) return undefined;
      throw error;
    }
  }

  /** `needed` is the table that must be readable. */
  async #saveWith(family: Family, args: readonly string[], needed: Table): Promise<string> {
    const program = this.#programs(family).save;
    const result = await this.#run(program, args, "");
    if (result.status !== 0) throw failure(program, result, undefined);
    if (result.stdout.includes(`# Table \`${needed}' is incompatible`)) {
      throw new RampartError("RAMPART_E_IPTABLES_FAILED", `${program} cannot read the ${needed} table`, {
        hint: "another program put rules into it with nft that iptables does not understand; see: nft list ruleset",
      });
    }
    return result.stdout;
  }

  /** One `--noflush` run; `text` as restoreText makes it. */
  async restore(family: Family, text: string): Promise<void> {
    const program = this.#programs(family).restore;
    const wait = this.variant === "legacy" ? ["-w", String(this.#options.lockWaitSeconds)] : [];
    const result = await this.#run(program, ["--noflush", ...wait], text);
    if (result.status === 0) return;
    if (/unable to initialize table/.test(result.stderr)) {
      // iptables-legacy-restore does not say why: save does.
      await this.save(family, new Set(TABLES));
    }
    throw failure(program, result, text);
  }

  #programs(family: Family): FamilyPrograms {
    const programs = this.#options.programs[family];
    if (programs === undefined) throw new RangeError(`opened without IPv${family}`);
    return programs;
  }

  async #run(program: string, args: readonly string[], input: string): Promise<CommandResult> {
    const timeoutMilliseconds = this.#options.lockWaitSeconds * 1000 + WORK_MILLISECONDS;
    const result = await this.#options.run(program, args, { input, timeoutMilliseconds });
    if (result === undefined) throw missingIptables(`${program} is gone`);
    return result;
  }
}

export function missingIptables(what: string): RampartError {
  return new RampartError("RAMPART_E_IPTABLES_MISSING", `iptables is not usable: ${what}`, {
    hint: "install the package iptables, for example with: apt install iptables",
  });
}

function failure(program: string, result: CommandResult, text: string | undefined): RampartError {
  const said = result.stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("Try `"))
    .join("; ");
  if (/permission denied|operation not permitted|must be root/i.test(said)) {
    return new RampartError("RAMPART_E_PRIVILEGE", `${program} may not read or change the firewall`, {
      hint: "run rampart as root or with CAP_NET_ADMIN",
      cause: said,
    });
  }
  const number = text === undefined ? undefined : /\bline:? (\d+)/.exec(said)?.[1];
  const line = number === undefined ? undefined : text?.split("\n")[Number(number) - 1];
  const at = line === undefined ? "" : `, at line ${number}: ${line}`;
  const ended = result.status === null ? "was killed" : `failed with status ${result.status}`;
  return new RampartError("RAMPART_E_IPTABLES_FAILED", `${program} ${ended}: ${said}${at}`, {
    hint: hintFor(said),
  });
}

function hintFor(said: string): string {
  if (/xtables lock/.test(said)) return "another program holds the xtables lock; see: fuser -v /run/xtables.lock";
  if (/module|revision|No such file|RULE_(APPEND|INSERT) failed|Couldn't load/.test(said)) {
    return "the kernel or iptables may lack a match or target: xt_NFQUEUE, xt_connmark, xt_conntrack, xt_mark, "
      + "xt_CONNMARK, xt_multiport, xt_hl, xt_comment and REJECT are needed; xt_CT for untracked policy, rpfilter for "
      + "workload interfaces, and xt_socket, xt_recent and xt_owner for datapath.offload none";
  }
  return "nothing was changed; the message is from iptables";
}
