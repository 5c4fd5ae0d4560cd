/**
 * Brings what the policy files say into force: at the start, or what
 * fallback.ts says in their place, and again when they change. A set with
 * errors changes nothing. Applying a set on purpose is trial.ts.
 */
import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import type { NativeBinding } from "../native/binding.ts";
import { formatWarning } from "../resources/diagnostics.ts";
import type { LoadResult } from "../resources/load.ts";
import type { Enforced, Enforcer } from "./enforcer.ts";
import { type Fallback, fallbacks } from "./fallback.ts";
import type { LastGoodStore } from "./last-good-store.ts";
import { reportLoad } from "./load-report.ts";
import { MemoryRelease } from "./memory-release.ts";
import { isPolicyFault } from "./policy-error.ts";
import type { PolicySource } from "./policy-source.ts";
import type { DaemonState } from "./state.ts";
import { Trial } from "./trial.ts";

export interface PolicyChangesOptions {
  readonly settings: Settings;
  readonly log: Logger;
  readonly native: NativeBinding;
  readonly source: PolicySource;
  readonly state: DaemonState;
  readonly lastGood: LastGoodStore;
  readonly enforcer: () => Enforcer;
  /** Another daemon enforces, and goes on if this start fails. */
  readonly takingOver: () => boolean;
}

export class PolicyChanges {
  readonly trial: Trial;
  readonly #options: PolicyChangesOptions;
  readonly #memory: MemoryRelease;

  constructor(options: PolicyChangesOptions) {
    const { state, log, source, lastGood, enforcer, native } = options;
    this.#options = options;
    this.#memory = new MemoryRelease(native);
    this.trial = new Trial({
      state,
      log,
      source,
      lastGood,
      enforcer,
      enforce: (loaded, reason) => this.#bringIntoForce(loaded, reason),
      reloadFiles: () => void this.reload("files"),
    });
  }

  /** The policy files as they are at the start. */
  loadFirst(): LoadResult {
    this.trial.open();
    const loaded = this.#options.source.load();
    reportLoad(this.#options.log, loaded);
    return loaded;
  }

  /** Resolves when `loaded`, or its fallback, is in force. */
  async start(loaded: LoadResult): Promise<void> {
    const errors = await this.#enforceAtStart(loaded);
    if (errors.length > 0) await this.#enforceFallback(errors);
  }

  stop(): void {
    this.trial.stop();
    this.#memory.stop();
  }

  /** Loads the policy again; a set with errors changes nothing. Resolves to what was wrong with it. */
  async reload(reason: string): Promise<readonly RampartError[]> {
    this.#memory.hold();
    try {
      return await this.trial.reload(reason, () => this.#reload(reason));
    } finally {
      this.releaseMemory();
    }
  }

  async #reload(reason: string): Promise<readonly RampartError[]> {
    const { log, source, state } = this.#options;
    const readAt = new Date();
    const loaded = source.load();
    reportLoad(log, loaded);
    const errors = this.trial.objections(loaded, reason);
    if (errors === "same") {
      state.filesAgain(readAt);
      return [];
    }
    if (errors.length > 0) {
      state.reloadFailed(errors.map(formatError), readAt);
      log.error({ code: "RAMPART_E_POLICY", reason, errors: errors.length }, "policy not changed: the new files have errors");
      return errors;
    }
    try {
      await this.#enforce(loaded, reason, readAt);
      return [];
    } catch (error) {
      const known =
        error instanceof RampartError ? error : new RampartError("RAMPART_E_RELOAD", String(error), { cause: error });
      state.reloadFailed([formatError(known)], readAt);
      log.error({ reason, code: known.code, err: error }, `policy not changed: ${known.message}`);
      return [known];
    }
  }

  /** Resolves to what is wrong with the policy files. @throws where they are not at fault. */
  async #enforceAtStart(loaded: LoadResult): Promise<readonly RampartError[]> {
    const errors = this.trial.objections(loaded, "start");
    const [first] = errors === "same" ? [] : errors;
    if (first !== undefined && this.#options.takingOver()) {
      throw new RampartError("RAMPART_E_HANDOVER", `the policy files may not come into force: ${formatError(first)}`, {
        hint: "the daemon that runs goes on with the policy it has",
      });
    }
    if (first !== undefined && errors !== "same") return errors;
    try {
      await this.#enforce(loaded, "start");
      return [];
    } catch (error) {
      if (!isPolicyFault(error) || this.#options.takingOver()) throw error;
      this.#options.log.error({ code: error.code }, formatError(error));
      return [error];
    }
  }

  async #enforceFallback(errors: readonly RampartError[]): Promise<void> {
    const { settings, lastGood, log } = this.#options;
    const candidates = await fallbacks(settings, lastGood, log);
    const last = candidates.at(-1);
    for (const candidate of candidates) {
      // A reload may have found the files mended meanwhile.
      if (this.#options.enforcer().current !== undefined) return;
      try {
        await this.#fallBack(candidate, errors);
        return;
      } catch (error) {
        if (candidate === last || !isPolicyFault(error)) throw error;
        log.error({ code: error.code }, `the last good set cannot be enforced: ${formatError(error)}`);
      }
    }
  }

  async #fallBack({ inForce, loaded, spare, message }: Fallback, errors: readonly RampartError[]): Promise<void> {
    const { enforcer, log, state, lastGood } = this.#options;
    reportLoad(log, loaded);
    const enforced = await enforcer().enforce(loaded.resources, { spare });
    if (inForce.source === "last-good") lastGood.adopt();
    state.fellBack(enforced, inForce, this.#warningsOf(loaded, enforced), errors.map(formatError));
    log.error({ code: "RAMPART_E_POLICY", errors: errors.length, generation: state.generation }, message);
  }

  async #enforce(loaded: LoadResult, reason: string, readAt?: Date): Promise<void> {
    const { source, lastGood } = this.#options;
    await this.#bringIntoForce(loaded, reason, readAt);
    lastGood.save(source.textsOf(loaded));
  }

  async #bringIntoForce(loaded: LoadResult, reason: string, readAt?: Date): Promise<void> {
    const { log, state } = this.#options;
    const began = performance.now();
    const enforced = await this.#options.enforcer().enforce(loaded.resources);
    const durationMs = Math.round((performance.now() - began) * 10) / 10;
    state.enforced(enforced, durationMs, this.#warningsOf(loaded, enforced), readAt);
    log.info(
      { reason, generation: state.generation, policies: loaded.resources.policies.length, durationMs },
      "policy in force",
    );
    this.releaseMemory();
  }

  /** What a change took is given back, soon. */
  releaseMemory(): void {
    const { settings, lastGood } = this.#options;
    // The npm package's queue is read in this thread, which must not pause.
    if (settings.queue.backend !== "native") return;
    this.#memory.soon();
    // Until then the texts of all files are in memory.
    void lastGood.settled().then(() => this.#memory.soon());
  }

  /** All of them, those of the endpoints logged. */
  #warningsOf(loaded: LoadResult, enforced: Enforced): string[] {
    const { log } = this.#options;
    const { warnings } = enforced.scope.choice;
    for (const { code, message } of warnings) log.warn({ code }, message);
    for (const { endpoint, reason: why } of enforced.scope.choice.inactive) {
      log.warn({ code: "RAMPART_W_ENDPOINT_INACTIVE", endpoint: endpoint.name }, why);
    }
    return [...loaded.warnings.map(formatWarning), ...warnings.map(({ code, message }) => `${code} ${message}`)];
  }
}
