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
import type { Logger } from "pino";
import type { ApplyOutcome, Confirmation } from "../control/plan.ts";
import type { InForce } from "../control/status.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import type { LoadResult } from "../resources/load.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { Enforcer } from "./enforcer.ts";
import { setDigest } from "./last-good-format.ts";
import { type LastGoodStore, PREVIOUS_FILE } from "./last-good-store.ts";
import type { PolicySource } from "./policy-source.ts";
import type { DaemonState } from "./state.ts";
import { StoredSets } from "./stored-sets.ts";
import { changedMeanwhileError, halfWrittenError, nothingError, pendingError } from "./trial-error.ts";
import { stateError, unconfirmedError } from "./trial-error.ts";
import { type TrialRecord, TrialRecordFile } from "./trial-record.ts";

/** How long a command may take to write the policy files. */
const INSTALL_TIMEOUT_MS = 30_000;
/** A rollback that failed is tried again. */
const RETRY_MS = 1000;

export interface TrialOptions {
  readonly state: DaemonState;
  readonly log: Logger;
  readonly source: PolicySource;
  readonly lastGood: LastGoodStore;
  /** undefined: the daemon is still starting. */
  readonly enforcer: () => Enforcer | undefined;
  /** Puts a loaded set in force, and keeps it nowhere. */
  readonly enforce: (loaded: LoadResult, reason: string) => Promise<void>;
  /** Loads the policy files, because they changed while they were not looked at. */
  readonly reloadFiles: () => void;
}

/** What was in force before the candidate. */
interface Earlier {
  readonly enforcer: Enforcer;
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
  readonly sets: StoredSets;
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
  #reloading: Promise<unknown> = Promise.resolve();

  constructor(options: TrialOptions) {
    const { stateDirectory, policy } = options.state.settings;
    this.#options = options;
    this.#record = new TrialRecordFile(stateDirectory);
    this.sets = new StoredSets(stateDirectory, policy.lenientYaml, options.log);
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

  /** A set waits for its confirmation, or an apply has not come to its end. */
  get underWay(): boolean {
    return this.#window !== undefined || this.#busy || this.#installing !== undefined;
  }

  /** Before the first `objections`. */
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

  /** Has `load` load the policy files, unless an apply is under way: then a change is noted, and who asks is refused. */
  reload(reason: string, load: () => Promise<readonly RampartError[]>): Promise<readonly RampartError[]> {
    if (!this.underWay) {
      const loading = load();
      this.#reloading = loading;
      return loading;
    }
    const { log } = this.#options;
    if (reason === "files") {
      this.#noted = true;
      log.info("the policy files changed; they are loaded when the apply that is under way has come to its end");
      return Promise.resolve([]);
    }
    const pending = pendingError();
    log.warn({ reason, code: pending.code }, formatError(pending));
    return Promise.resolve([pending]);
  }

  /**
   * Why what the policy files hold may not come into force: their errors, or that a record warns of it, which is logged;
   * who asks for it by a reload takes the responsibility. `same` where it is in force already.
   */
  objections(loaded: LoadResult, reason: string): readonly RampartError[] | "same" {
    if (loaded.errors.length > 0) return loaded.errors;
    const { record } = this.#record;
    if (record === undefined && this.#settled === undefined) return [];
    const { log, source } = this.#options;
    const digest = setDigest(source.textsOf(loaded));
    if (reason === "files" && record === undefined && digest === this.#settled) return "same";
    this.#settled = undefined;
    if (record === undefined) return [];
    const objection = reason === "files" || reason === "start" ? warningOf(record, digest) : undefined;
    if (objection !== undefined) {
      log.error({ code: objection.code }, formatError(objection));
      return [objection];
    }
    if (reason === "start" && record.state === "unconfirmed") {
      log.warn("a set was on trial when the daemon ended; nobody confirmed it, and it is not in force");
    }
    this.#forget();
    return [];
  }

  /** Control method "apply". Resolves when the candidate is in force. */
  apply(digest: string, confirmSeconds: number | undefined): Promise<ApplyOutcome> {
    if (this.#window !== undefined || this.#installing !== undefined) return Promise.reject(pendingError());
    return this.#alone(async () => {
      const { state, lastGood, enforce, log } = this.#options;
      const candidate = await this.sets.candidate(digest);
      await this.#reloading;
      await lastGood.settled();
      const earlier = this.#earlier();
      if (earlier.inForce.source === "files" && !lastGood.current) {
        throw stateError("the set in force could not be kept, so there is no way back to it", "see the log");
      }
      if (isKept(earlier.inForce) && lastGood.digest === digest) return this.#settle(digest);
      if (confirmSeconds === undefined) {
        await this.#keepPrevious(earlier);
        await enforce(candidate, "apply");
        return this.#forGood(candidate, digest, true);
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
        await this.#keepPrevious(earlier);
        outcome = await this.#forGood(candidate, setDigest(candidate.texts), !inPlace);
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
    if (found !== record.digest) throw changedMeanwhileError();
    this.#noted = false;
    this.#forget();
    this.#settled = found;
    this.#options.state.filesAgain();
    return this.#outcome(found, false);
  }

  /** The way back, before the way there: an apply that fails for it has changed nothing. */
  async #keepPrevious({ inForce }: Earlier): Promise<void> {
    try {
      if (isKept(inForce)) await this.#options.lastGood.keepAs(PREVIOUS_FILE);
      else await this.sets.forgetPrevious();
    } catch (cause) {
      throw stateError("the set in force cannot be kept as the one before", cause);
    }
  }

  async #forGood(loaded: LoadResult, digest: string, mayInstall: boolean): Promise<ApplyOutcome> {
    const { state } = this.#options;
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
      const error = halfWrittenError();
      this.#options.log.error({ code: error.code }, formatError(error));
      this.#options.state.reloadFailed([formatError(error)]);
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
    const { state, log, lastGood } = this.#options;
    try {
      // With what was written since: it was written on top of the candidate.
      if (inPlace) this.#record.write({ state: "unconfirmed", digest: this.#filesDigest() });
      const enforced = await earlier.enforcer.enforce(earlier.resources);
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
    await this.#reloading;
    await lastGood.settled();
    if (this.#record.record !== undefined && state.inForce.source === "last-good" && lastGood.digest !== undefined) {
      // The set is back already, and the files still hold what was rolled back.
      return this.#settle(lastGood.digest);
    }
    const loaded = await this.sets.previous();
    await enforce(loaded, "rollback");
    await this.#keep(loaded);
    await this.sets.forgetPrevious();
    return this.#settle(setDigest(loaded.texts));
  }

  #earlier(): Earlier {
    const { enforcer, state } = this.#options;
    const its = enforcer();
    if (its?.current === undefined) throw pendingError();
    const { inForce, warnings, lastReload } = state;
    return { enforcer: its, resources: its.current.resources, inForce, warnings, errors: lastReload.errors };
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

/** Why files with this digest must not come into force by themselves. */
function warningOf(record: TrialRecord, digest: string): RampartError | undefined {
  if (record.state === "unconfirmed") return digest === record.digest ? unconfirmedError() : undefined;
  return digest === record.digest ? undefined : halfWrittenError();
}

/** Is the last good set the one in force? */
function isKept({ source }: InForce): boolean {
  return source === "files" || source === "last-good";
}
