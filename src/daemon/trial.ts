/**
 * Applying a policy set on purpose, with a way back.
 *
 *   apply            candidate in force, for good
 *   apply + confirm  candidate in force -> confirmed: for good
 *                                       -> time is up, rollback, crash: the set before it
 *
 * For good means: kept as the last good set, the set before it as `previous`,
 * and the policy files say the same. The command line writes those, because a
 * daemon need not have the right to; until it has (`apply-done`), and while a
 * candidate is on trial, files that change are noted and not loaded.
 *
 * An unconfirmed set never comes into force by a start: either the policy files
 * never held it, or trial-record.ts says that they do, and the last good set,
 * which is the one before it, is enforced.
 */
import { statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import type { ApplyOutcome, Confirmation } from "../control/plan.ts";
import type { InForce } from "../control/status.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { formatWarning } from "../resources/diagnostics.ts";
import { type LoadResult, ResourceLoader } from "../resources/load.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { Enforcer } from "./enforcer.ts";
import { setDigest } from "./last-good-format.ts";
import { CANDIDATE_FILE, LastGoodStore, PREVIOUS_FILE } from "./last-good-store.ts";
import { loadOptions } from "./load-options.ts";
import { PolicyError } from "./policy-error.ts";
import type { PolicySource } from "./policy-source.ts";
import type { DaemonState } from "./state.ts";
import { stateError, TrialRecordFile } from "./trial-record.ts";

/** How long a command may take to write the policy files. */
const INSTALL_TIMEOUT_MS = 30_000;
/** A rollback that failed is tried again. */
const RETRY_MS = 1000;

export interface TrialOptions {
  readonly state: DaemonState;
  readonly log: Logger;
  readonly source: PolicySource;
  readonly lastGood: LastGoodStore;
  readonly enforcer: () => Enforcer;
  /** Puts a loaded set in force, and keeps it nowhere. */
  readonly enforce: (loaded: LoadResult, reason: string) => Promise<void>;
  /** Resolves when no load of the policy files is under way. */
  readonly reloaded: () => Promise<unknown>;
  /** Loads the policy files, because they changed while they were not looked at. */
  readonly reloadFiles: () => void;
}

/** What was in force before the candidate. */
interface Earlier {
  readonly resources: ResourceSet;
  readonly inForce: InForce;
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

interface Window {
  readonly candidate: LoadResult;
  readonly earlier: Earlier;
  /** The policy files hold the candidate. */
  readonly inPlace: boolean;
  /** performance.now() at which it ends. */
  readonly deadline: number;
}

/** How windows ended. */
export type TrialCounts = Readonly<Record<"confirmed" | "expired" | "asked", number>>;

export class Trial {
  readonly #options: TrialOptions;
  readonly #record: TrialRecordFile;
  readonly #counts = { confirmed: 0, expired: 0, asked: 0 };
  #window: Window | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** A change is under way. */
  #busy = false;
  /** While the command line writes the policy files. */
  #installing: NodeJS.Timeout | undefined;
  /** Policy files changed while nobody looked. */
  #noted = false;
  /** Digest of the set we put in force and the policy files then held. */
  #settled: string | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#record = new TrialRecordFile(options.state.settings.stateDirectory);
  }

  /** How windows ended so far; `asked`: rolled back by a command. */
  get counts(): TrialCounts {
    return this.#counts;
  }

  /** The open window, undefined if there is none. */
  get confirmation(): Confirmation | undefined {
    if (this.#window === undefined) return undefined;
    const secondsLeft = Math.max(0, Math.ceil((this.#window.deadline - performance.now()) / 1000));
    return { secondsLeft, generation: this.#options.state.generation };
  }

  /** Before the first `admits`. */
  open(): void {
    this.#record.read();
  }

  /** Ends the window without a rollback: the next start makes it. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#installing);
    if (this.#window !== undefined) {
      this.#options.log.warn("stopped before the set on trial was confirmed; the next start enforces the one before it");
    }
  }

  /** Whether the policy files are not to be looked at now: an error for who asks, [] for a change that is noted. */
  holds(reason: string): readonly RampartError[] | undefined {
    if (this.#window === undefined && !this.#busy && this.#installing === undefined) return undefined;
    const { log } = this.#options;
    if (reason === "files") {
      this.#noted = true;
      log.info("the policy files changed; they are loaded when the apply that is under way has come to its end");
      return [];
    }
    const pending = pendingError();
    log.warn({ reason, code: pending.code }, formatError(pending));
    return [pending];
  }

  /**
   * Whether what the policy files hold may come into force: `same` where it is in force already, an error where it is
   * what a record warns of. Who asks for it by a reload takes the responsibility.
   */
  admits(loaded: LoadResult, reason: string): "load" | "same" | RampartError {
    const { record } = this.#record;
    if (record === undefined && this.#settled === undefined) return "load";
    const digest = setDigest(this.#options.source.textsOf(loaded));
    const automatic = reason === "files" || reason === "start";
    if (reason === "files" && record === undefined && digest === this.#settled) return "same";
    this.#settled = undefined;
    if (record === undefined) return "load";
    const isRecorded = digest === record.digest;
    if (automatic && record.state === "unconfirmed" && isRecorded) return unconfirmedError();
    if (automatic && record.state === "installing" && !isRecorded) return halfWrittenError();
    if (reason === "start" && record.state === "unconfirmed") {
      this.#options.log.warn("a set was on trial when the daemon ended; nobody confirmed it, and it is not in force");
    }
    this.#forget();
    return "load";
  }

  /** Control method "apply". Resolves when the candidate is in force. */
  apply(digest: string, confirmSeconds: number | undefined): Promise<ApplyOutcome> {
    if (this.#window !== undefined || this.#installing !== undefined) return Promise.reject(pendingError());
    return this.#alone(async () => {
      const { state, lastGood, enforce, log, reloaded } = this.#options;
      const candidate = await this.readCandidate(digest);
      await reloaded();
      await lastGood.settled();
      const earlier = this.#earlier();
      if (earlier.inForce.source === "files" && !lastGood.current) {
        throw stateError("the set in force could not be kept, so there is no way back to it", "see the log");
      }
      if (isKept(earlier.inForce) && lastGood.digest === digest) return this.#settle(digest);
      if (confirmSeconds === undefined) {
        await enforce(candidate, "apply");
        return this.#forGood(candidate, digest, earlier, true);
      }
      const inPlace = this.#filesDigest() === digest;
      // Before it is in force, so that no crash can leave it there.
      this.#record.write({ state: "unconfirmed", digest });
      try {
        await enforce(candidate, "apply, on trial");
      } catch (error) {
        this.#forget();
        throw error;
      }
      this.#window = { candidate, earlier, inPlace, deadline: performance.now() + confirmSeconds * 1000 };
      this.#startTimer(confirmSeconds * 1000);
      log.warn({ generation: state.generation, seconds: confirmSeconds }, "a set is on trial: without `rampart confirm` it is rolled back");
      return { ...this.#outcome(digest, false), secondsLeft: confirmSeconds };
    });
  }

  /** Control method "confirm": the set on trial is for good. */
  confirm(): Promise<ApplyOutcome> {
    const window = this.#window;
    if (window === undefined) return Promise.reject(nothingError("no set waits for a confirmation"));
    return this.#alone(async () => {
      clearTimeout(this.#timer);
      let outcome: ApplyOutcome;
      try {
        const { candidate, earlier, inPlace } = window;
        outcome = await this.#forGood(candidate, setDigest(candidate.texts), earlier, !inPlace);
      } catch (error) {
        this.#startTimer(window.deadline - performance.now());
        throw error;
      }
      this.#window = undefined;
      this.#counts.confirmed++;
      this.#options.log.info({ generation: outcome.generation }, "the set on trial was confirmed");
      return outcome;
    });
  }

  /** Control method "rollback": of the set on trial, or of the last apply. */
  rollback(): Promise<ApplyOutcome> {
    if (this.#window !== undefined) return this.#alone(() => this.#endWindow("asked"));
    if (this.#installing !== undefined) return Promise.reject(pendingError());
    return this.#alone(() => this.#toPrevious());
  }

  /** Control method "apply-done": the policy files have been written. */
  done(): ApplyOutcome {
    const { record } = this.#record;
    if (this.#installing === undefined || record === undefined) throw nothingError("no policy files were to be written");
    const found = this.#filesDigest();
    this.#endInstalling();
    if (found !== record.digest) {
      throw new RampartError("RAMPART_E_APPLY_FILES", "the policy files are not the set that is in force", {
        hint: "somebody changed them meanwhile; `rampart diff` without a path shows how, `rampart apply` enforces them",
      });
    }
    this.#noted = false;
    this.#forget();
    this.#settled = found;
    this.#options.state.filesAgain();
    return this.#outcome(found, false);
  }

  /** @throws RampartError RAMPART_E_APPLY_CANDIDATE, RAMPART_E_POLICY */
  async readCandidate(digest: string): Promise<LoadResult> {
    const store = this.#store(CANDIDATE_FILE);
    const stored = await store.read();
    if ("problem" in stored) throw stored.problem;
    if ("absent" in stored || store.digest !== digest) {
      throw new RampartError("RAMPART_E_APPLY_CANDIDATE", `${store.file} is not the set that this command put there`, {
        hint: "another apply or diff was run at the same time; try again",
      });
    }
    return this.#load(stored.set.texts);
  }

  async #forGood(loaded: LoadResult, digest: string, earlier: Earlier, mayInstall: boolean): Promise<ApplyOutcome> {
    const { lastGood, state } = this.#options;
    try {
      if (isKept(earlier.inForce)) await lastGood.keepAs(PREVIOUS_FILE);
      else await this.#removePrevious();
    } catch (cause) {
      throw stateError("the set before it cannot be kept", cause);
    }
    await this.#keep(loaded);
    if (mayInstall) return this.#settle(digest);
    // Edited in place, and perhaps once more since: what is there now is for the watcher, or the next reload.
    this.#forget();
    state.filesAgain();
    this.#settled = digest;
    return this.#outcome(digest, false);
  }

  async #keep(loaded: LoadResult): Promise<void> {
    const { lastGood } = this.#options;
    lastGood.save(loaded.texts);
    await lastGood.settled();
    if (!lastGood.current) throw stateError("the set is in force, but cannot be kept over a restart", "see the log");
  }

  /** The set of `digest` is in force and the last good one: do the policy files say the same? */
  #settle(digest: string): ApplyOutcome {
    if (this.#filesDigest() === digest) {
      this.#forget();
      this.#settled = digest;
      this.#options.state.filesAgain();
      return this.#outcome(digest, false);
    }
    this.#record.write({ state: "installing", digest });
    this.#settled = undefined;
    this.#installing = setTimeout(() => {
      this.#options.log.error("the policy files were not written in time, and are not the set that is in force");
      this.#endInstalling();
      this.#afterwards();
    }, INSTALL_TIMEOUT_MS);
    return this.#outcome(digest, true);
  }

  async #endWindow(cause: "asked" | "expired"): Promise<ApplyOutcome> {
    const window = this.#window;
    if (window === undefined) throw nothingError("no set is on trial");
    clearTimeout(this.#timer);
    const { earlier, inPlace } = window;
    const { state, log, lastGood, enforcer } = this.#options;
    try {
      // With what was written since: it was written on top of the candidate.
      if (inPlace) this.#record.write({ state: "unconfirmed", digest: this.#filesDigest() });
      const enforced = await enforcer().enforce(earlier.resources);
      const warnings = [...earlier.warnings];
      if (inPlace) state.fellBack(enforced, this.#keptInForce(earlier.inForce), warnings, [formatError(unconfirmedError())]);
      else if (earlier.inForce.source === "files") state.enforced(enforced, 0, warnings);
      else state.fellBack(enforced, earlier.inForce, warnings, earlier.errors);
    } catch (error) {
      this.#startTimer(RETRY_MS);
      throw error;
    }
    this.#window = undefined;
    this.#counts[cause]++;
    const message = cause === "asked" ? "the set on trial was rolled back" : "nobody confirmed the set on trial: rolled back";
    log.warn({ generation: state.generation, cause }, message);
    const digest = lastGood.digest ?? "";
    if (!inPlace) this.#forget();
    else {
      this.#noted = false;
      if (cause === "asked" && isKept(earlier.inForce)) return this.#settle(digest);
    }
    return this.#outcome(digest, false);
  }

  async #toPrevious(): Promise<ApplyOutcome> {
    const { state, lastGood, enforce } = this.#options;
    await lastGood.settled();
    if (this.#record.record !== undefined && state.inForce.source === "last-good" && lastGood.digest !== undefined) {
      // The set is back already, and the files still hold what was rolled back.
      return this.#settle(lastGood.digest);
    }
    const store = this.#store(PREVIOUS_FILE);
    const stored = await store.read();
    if ("problem" in stored) throw stored.problem;
    if ("absent" in stored || store.digest === undefined) throw nothingError("there is no set before the last apply");
    const loaded = this.#load(stored.set.texts);
    await enforce(loaded, "rollback");
    await this.#keep(loaded);
    await this.#removePrevious();
    return this.#settle(store.digest);
  }

  #earlier(): Earlier {
    const { enforcer, state } = this.#options;
    const { current } = enforcer();
    if (current === undefined) throw pendingError();
    const { inForce, warnings, lastReload } = state;
    return { resources: current.resources, inForce, warnings, errors: lastReload.errors };
  }

  /** One change at a time; what was noted meanwhile is looked at afterwards. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw pendingError();
    this.#busy = true;
    try {
      return await work();
    } catch (error) {
      if (error instanceof RampartError) throw error;
      throw new RampartError("RAMPART_E_RELOAD", String(error), { cause: error });
    } finally {
      this.#busy = false;
      this.#afterwards();
    }
  }

  #afterwards(): void {
    if (!this.#noted || this.#busy || this.#window !== undefined || this.#installing !== undefined) return;
    this.#noted = false;
    this.#options.reloadFiles();
  }

  #startTimer(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#alone(() => this.#endWindow("expired")).catch((error: unknown) => {
        this.#options.log.error({ err: error }, "the set on trial could not be rolled back; trying again");
        if (this.#window !== undefined) this.#startTimer(RETRY_MS);
      });
    }, Math.max(0, milliseconds));
  }

  #endInstalling(): void {
    clearTimeout(this.#installing);
    this.#installing = undefined;
  }

  #load(texts: LoadResult["texts"]): LoadResult {
    const { lenientYaml } = this.#options.state.settings.policy;
    const loaded = new ResourceLoader(loadOptions(lenientYaml)).loadTexts(texts);
    for (const error of loaded.errors) this.#options.log.error({ code: error.code, ...error.location }, formatError(error));
    for (const warning of loaded.warnings) this.#options.log.warn({ code: warning.code }, formatWarning(warning));
    if (loaded.errors.length > 0) throw new PolicyError(loaded.errors);
    return loaded;
  }

  #filesDigest(): string {
    const { source } = this.#options;
    return setDigest(source.textsOf(source.load()));
  }

  /** What was said to be from the files is now from the store. */
  #keptInForce(inForce: InForce): InForce {
    if (inForce.source !== "files") return inForce;
    const { mtime } = statSync(this.#options.lastGood.file);
    return { source: "last-good", savedAt: mtime.toISOString() };
  }

  #store(file: string): LastGoodStore {
    const { stateDirectory } = this.#options.state.settings;
    return new LastGoodStore({ directory: stateDirectory, file, onFailure: () => {} });
  }

  #removePrevious(): Promise<void> {
    return rm(join(this.#options.state.settings.stateDirectory, PREVIOUS_FILE), { force: true });
  }

  /** A record that cannot be removed warns of what is no longer so; that only makes the next start more careful. */
  #forget(): void {
    try {
      this.#record.clear();
    } catch (error) {
      this.#options.log.error({ err: error }, "a record of an apply that is over cannot be removed");
    }
  }

  #outcome(digest: string, install: boolean): ApplyOutcome {
    return { generation: this.#options.state.generation, digest, install };
  }
}

/** Is the last good set the one in force? */
function isKept({ source }: InForce): boolean {
  return source === "files" || source === "last-good";
}

function pendingError(): RampartError {
  return new RampartError("RAMPART_E_APPLY_PENDING", "another apply has not come to its end", {
    hint: "`rampart status` tells whether a set is on trial: then `rampart confirm` or `rampart rollback` first",
  });
}

function nothingError(message: string): RampartError {
  return new RampartError("RAMPART_E_APPLY_NONE", message, { hint: "`rampart status` tells what is in force" });
}

function unconfirmedError(): RampartError {
  const message = "the policy files hold a set that was applied on trial and not confirmed; the one before it is in force";
  return new RampartError("RAMPART_E_UNCONFIRMED", message, {
    hint: "change the files, put the old ones back with `rampart rollback`, or enforce them with `rampart apply`",
  });
}

function halfWrittenError(): RampartError {
  const message = "the policy files are not the set that was applied: writing them was interrupted";
  return new RampartError("RAMPART_E_APPLY_FILES", message, {
    hint: "see with `rampart diff` how they differ from what is in force, and use `rampart apply`",
  });
}
