/**
 * Everything that may tell that another program changed our hooks, made into
 * alarms for the guard: notifications of nf_tables at once, for
 * iptables-legacy, which has none, a look at the tables ten times a second;
 * packets that came back; and a verification now and then whatever these say.
 */
import type { Logger } from "pino";
import type { HookInstaller } from "../hooks/apply.ts";
import type { OwnCommands } from "../hooks/own-commands.ts";
import type { NativeBinding, NativeRulesetAuthor, NativeRulesetWatch } from "../native/binding.ts";
import { failureText, systemErrorCode } from "../native/system-error.ts";
import type { HookGuard } from "./hook-guard.ts";

export interface HookWatchOptions {
  readonly native: NativeBinding;
  readonly log: Logger;
  readonly guard: HookGuard;
  readonly installer: HookInstaller;
  readonly own: OwnCommands;
  /** Packets so far that came back with a verdict on them: the hooks do not carry it out. */
  readonly returned: () => number;
}

/** A look at what costs nothing to read. Of iptables-legacy's changes only this tells. */
const LOOK_INTERVAL_MS = { nft: 250, legacy: 100 } as const;
const PERIODIC_INTERVAL_MS = 5000;

export class HookWatch {
  readonly #options: HookWatchOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #ruleset: NativeRulesetWatch | undefined;
  #lookedAt = performance.now();
  #verifiedAt = performance.now();
  /** The tables of iptables-legacy when they were last found in place; undefined when they may not be. */
  #intact: string | undefined;
  #returned = 0;

  constructor(options: HookWatchOptions) {
    this.#options = options;
  }

  /** Begins; the installer knows its variant. */
  start(): void {
    const { installer, native, log } = this.#options;
    try {
      if (installer.variant === "nft") this.#ruleset = native.watchRuleset((authors) => this.#changed(authors));
    } catch (error) {
      const message = `foreign changes of the hooks are only noticed every ${PERIODIC_INTERVAL_MS / 1000} s`;
      log.warn({ code: "RAMPART_W_RULESET_WATCH" }, `${message}: ${failureText(error)}`);
    }
    this.#look();
    this.#timers.push(setInterval(() => this.#look(), LOOK_INTERVAL_MS[installer.variant ?? "nft"]));
    this.#timers.push(setInterval(() => this.#periodic(), PERIODIC_INTERVAL_MS));
  }

  /**
   * Runs a verification and remembers what the tables were when it found nothing wrong; resolves to what it found.
   * After a repair they are looked at once more, because somebody may have been faster than the next look.
   */
  async during(verify: () => Promise<readonly string[] | undefined>): Promise<readonly string[] | undefined> {
    const before = this.#readDigests();
    const problems = await verify();
    const inPlace = problems?.length === 0 && this.#readDigests() === before;
    this.#intact = inPlace ? before : undefined;
    return problems;
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#ruleset?.close();
  }

  #changed(authors: readonly NativeRulesetAuthor[]): void {
    const { own, guard } = this.#options;
    const foreign = authors.filter(({ port }) => !own.has(port));
    if (foreign.length === 0) return;
    const named = foreign.filter(({ program }) => program !== "");
    guard.raise("notified", performance.now(), named.map(({ program, pid }) => `${program} (pid ${pid})`));
  }

  #look(): void {
    const { installer, guard, returned } = this.#options;
    const before = this.#lookedAt;
    this.#lookedAt = performance.now();
    const count = returned();
    if (count > this.#returned) guard.raise("returned", before);
    this.#returned = count;
    if (installer.variant === "legacy" && this.#readDigests() !== this.#intact) guard.raise("changed", before);
  }

  #periodic(): void {
    this.#look();
    const before = this.#verifiedAt;
    this.#verifiedAt = performance.now();
    this.#options.guard.raise("periodic", before);
  }

  /** One text for all tables that hold something of ours; a table that cannot be read is part of it. Legacy only. */
  #readDigests(): string {
    const { installer, native } = this.#options;
    let text = "";
    if (installer.variant !== "legacy") return text;
    for (const [family, tables] of installer.tables) {
      for (const table of tables) {
        try {
          text += ` ${native.tableDigest(family, table)}`;
        } catch (error) {
          text += ` ${systemErrorCode(error)}`;
        }
      }
    }
    return text;
  }
}
