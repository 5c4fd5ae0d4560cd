/**
 * Puts hooks in place, checks them and takes them away. When a call has ended,
 * the tables hold what one HookConfig asks for or what they held before: each
 * table of a family is changed by one transaction, and when one fails, those
 * changed already are put back. Calls are carried out one after the other.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { runCommand } from "./command.ts";
import { tablesOf } from "./chain-plan.ts";
import type { CommandRunner } from "./command.ts";
import { planDifferences } from "./differences.ts";
import type { HookConfig } from "./hook-config.ts";
import type { Table } from "./hook-point.ts";
import { TABLES } from "./hook-point.ts";
import type { RuleCounter } from "./installed.ts";
import { generationInForce, installedChains, ruleCounters } from "./installed.ts";
import type { Iptables, Variant } from "./iptables.ts";
import type { MarkLayout, MarkMasks } from "./marks.ts";
import type { MarkOverlap } from "./mark-overlap.ts";
import { findMarkOverlaps } from "./mark-overlap.ts";
import { hasOutputNat } from "./output-nat.ts";
import { planHooks } from "./plan.ts";
import { removeHooks } from "./remove.ts";
import { carryOver } from "./transition.ts";
import type { VariantSetting } from "./variant.ts";
import { openIptables } from "./variant.ts";

/** Tables whose rules can use marks: all of them. */
const MARKING_TABLES = ["raw", "mangle", "nat", "filter", "security"];

export interface HookInstallerOptions {
  readonly variant: VariantSetting;
  readonly lockWaitSeconds: number;
  /** False where the kernel has no IPv6 (ipv6Support). */
  readonly ipv6: boolean;
  readonly marks: MarkLayout;
  readonly run?: CommandRunner;
}

/** A rule's packets and bytes since this installer's first look, across every rewriting of the chains. */
export interface HookCounter extends RuleCounter {
  readonly family: Family;
}

/**
 * Every method may throw RAMPART_E_IPTABLES_MISSING, RAMPART_E_PRIVILEGE and
 * RAMPART_E_IPTABLES_FAILED.
 */
export class HookInstaller {
  readonly #options: HookInstallerOptions;
  readonly #run: CommandRunner;
  readonly #families: readonly Family[];
  #iptables: Iptables | undefined;
  #leftoversRemoved = false;
  /** Tables that may hold something of ours: those of every plan so far, and those an earlier run has used. */
  readonly #tables = new Map<Family, Set<Table>>();
  /** What rules had counted when a rewriting set them to zero, by counter key. */
  readonly #carried = new Map<string, HookCounter>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: HookInstallerOptions) {
    this.#options = options;
    this.#run = options.run ?? runCommand;
    this.#families = options.ipv6 ? [4, 6] : [4];
  }

  /** Families whose tables are ours to write. */
  get families(): readonly Family[] {
    return this.#families;
  }

  /** Tables that hold something of ours or have held it, once a call has looked. */
  get tables(): ReadonlyMap<Family, ReadonlySet<Table>> {
    return this.#tables;
  }

  /** The variant in use, once a call has found it. */
  get variant(): Variant | undefined {
    return this.#iptables?.variant;
  }

  /**
   * Makes both families' tables hold exactly what `config` plans; does nothing
   * where they do already. The first call also removes what an earlier run left
   * in the other variant or in a family no longer used.
   */
  apply(config: HookConfig): Promise<void> {
    return this.#inTurn(async () => {
      const iptables = await this.#open();
      await this.#change(iptables, config, await this.#saveAll(iptables, config));
      if (!this.#leftoversRemoved) {
        const keep = { variant: iptables.variant, families: this.#families };
        await removeHooks({ lockWaitSeconds: this.#options.lockWaitSeconds, keep, run: this.#run });
        this.#leftoversRemoved = true;
      }
    });
  }

  /** What is not as `config` plans it, in words; empty when all is in place. */
  verify(config: HookConfig): Promise<string[]> {
    return this.#inTurn(async () => differencesFrom(config, await this.#saveAll(await this.#open(), config)));
  }

  /**
   * Verifies, and where something is not as planned applies `config`, in one reading of the tables. `onFound` is told
   * before anything is changed; resolves to what it was told, empty when all is in place.
   */
  repair(config: HookConfig, onFound: (differences: readonly string[]) => void): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const iptables = await this.#open();
      const saved = await this.#saveAll(iptables, config);
      const differences = differencesFrom(config, saved);
      if (differences.length > 0) {
        onFound(differences);
        await this.#change(iptables, config, saved);
      }
      return differences;
    });
  }

  /** Removes everything of ours in both families and both variants; says what it removed. */
  remove(): Promise<string[]> {
    return this.#inTurn(() => removeHooks({ lockWaitSeconds: this.#options.lockWaitSeconds, run: this.#run }));
  }

  /**
   * The generation the fast path accepts, undefined when no hooks are there.
   * IPv4 is changed first, so its generation is the newest when they differ.
   */
  installedGeneration(): Promise<number | undefined> {
    return this.#inTurn(async () => {
      for (const text of (await this.#saveAll(await this.#open())).values()) {
        const generation = generationInForce(installedChains(text), this.#options.marks);
        if (generation !== undefined) return generation;
      }
      return undefined;
    });
  }

  /** Counters of every named rule, per family and hook; they only grow while this installer lives. */
  counters(): Promise<HookCounter[]> {
    return this.#inTurn(async () => {
      const sums = new Map(this.#carried);
      for (const [family, text] of await this.#saveAll(await this.#open())) addCounters(sums, family, text);
      return [...sums.values()];
    });
  }

  /** Other programs' rules, in every table of both families, that use bits of `masks`. */
  markOverlaps(masks: MarkMasks): Promise<MarkOverlap[]> {
    return this.#inTurn(async () => {
      const iptables = await this.#open();
      const overlaps: MarkOverlap[] = [];
      for (const family of this.#families) {
        overlaps.push(...findMarkOverlaps(await iptables.saveExisting(family, MARKING_TABLES), masks));
      }
      return overlaps;
    });
  }

  /** Whether DNAT may send local packets elsewhere than OUTPUT sees. */
  outputNat(): Promise<boolean> {
    const { lockWaitSeconds } = this.#options;
    return this.#inTurn(() => hasOutputNat({ lockWaitSeconds, families: this.#families, run: this.#run }));
  }

  async #open(): Promise<Iptables> {
    const { variant, lockWaitSeconds } = this.#options;
    this.#iptables ??= await openIptables(variant, { lockWaitSeconds, families: this.#families, run: this.#run });
    return this.#iptables;
  }

  /** From what was just read to what `config` plans; when a family fails, those changed before it are put back. */
  async #change(iptables: Iptables, config: HookConfig, saved: ReadonlyMap<Family, string>): Promise<void> {
    const changed: { family: Family; before: string }[] = [];
    for (const [family, text] of saved) {
      try {
        const before = await carryOver(iptables, family, planHooks(config, family), text);
        if (before !== undefined) changed.push({ family, before });
      } catch (error) {
        await this.#putBack(iptables, [...changed, { family, before: text }], error);
        throw error;
      }
    }
    for (const { family, before } of changed) addCounters(this.#carried, family, before);
  }

  /**
   * What the tables hold that something of ours, or `config`, is in. Both families are read before either is
   * changed, so that one that cannot be read changes nothing.
   */
  async #saveAll(iptables: Iptables, config?: HookConfig): Promise<Map<Family, string>> {
    const texts = new Map<Family, string>();
    for (const family of this.#families) {
      const tables = await this.#tablesInUse(iptables, family);
      if (config !== undefined) for (const table of tablesOf(planHooks(config, family))) tables.add(table);
      texts.set(family, await iptables.save(family, tables));
    }
    return texts;
  }

  /** Other tables are not read each time: nat may hold 100,000 rules that are not ours. */
  async #tablesInUse(iptables: Iptables, family: Family): Promise<Set<Table>> {
    const known = this.#tables.get(family);
    if (known !== undefined) return known;
    const found = tablesOf(installedChains(await iptables.saveExisting(family, TABLES))).add("filter");
    this.#tables.set(family, found);
    return found;
  }

  async #putBack(
    iptables: Iptables,
    changed: readonly { family: Family; before: string }[],
    reason: unknown,
  ): Promise<void> {
    for (const { family, before } of changed) {
      try {
        const now = await iptables.save(family, await this.#tablesInUse(iptables, family));
        await carryOver(iptables, family, installedChains(before), now);
      } catch (error) {
        const message = `IPv${family} hooks could not be put back: ${String(error)}`;
        throw new RampartError("RAMPART_E_IPTABLES_FAILED", message, {
          hint: `another table's change had failed first: ${String(reason)}; "rampart hooks remove" clears all of them`,
          cause: reason,
        });
      }
    }
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function differencesFrom(config: HookConfig, saved: ReadonlyMap<Family, string>): string[] {
  return [...saved].flatMap(([family, text]) => {
    const found = planDifferences(planHooks(config, family), installedChains(text));
    return found.map((difference) => `IPv${family}: ${difference}`);
  });
}

function addCounters(sums: Map<string, HookCounter>, family: Family, saveText: string): void {
  for (const counter of ruleCounters(saveText)) {
    const key = `${family} ${counter.hook} ${counter.name}`;
    const sum = sums.get(key);
    const packets = (sum?.packets ?? 0) + counter.packets;
    const bytes = (sum?.bytes ?? 0) + counter.bytes;
    sums.set(key, { ...counter, family, packets, bytes });
  }
}
