/** Policy sets that wait in the state directory: what a command wants applied, and what was before the last apply. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { RampartError } from "../errors/rampart-error.ts";
import { type LoadResult, type PolicyText, ResourceLoader } from "../resources/load.ts";
import { CANDIDATE_FILE, LastGoodStore, PREVIOUS_FILE } from "./last-good-store.ts";
import { loadOptions } from "./load-options.ts";
import { reportLoad } from "./load-report.ts";
import { PolicyError } from "./policy-error.ts";
import { nothingError } from "./trial-error.ts";

export class StoredSets {
  readonly #directory: string;
  readonly #lenientYaml: boolean;
  readonly #log: Logger;

  constructor(directory: string, lenientYaml: boolean, log: Logger) {
    this.#directory = directory;
    this.#lenientYaml = lenientYaml;
    this.#log = log;
  }

  /** @throws RampartError RAMPART_E_APPLY_CANDIDATE, RAMPART_E_APPLY_STATE, RAMPART_E_POLICY */
  async candidate(digest: string): Promise<LoadResult> {
    const store = this.#store(CANDIDATE_FILE);
    const stored = await store.read();
    if ("problem" in stored) throw unusable(stored.problem);
    if ("absent" in stored || store.digest !== digest) {
      throw new RampartError("RAMPART_E_APPLY_CANDIDATE", `${store.file} is not the set that this command put there`, {
        hint: "another apply or diff was run at the same time; try again",
      });
    }
    return this.#load(stored.set.texts);
  }

  /** @throws RampartError RAMPART_E_APPLY_NONE, RAMPART_E_APPLY_STATE, RAMPART_E_POLICY */
  async previous(): Promise<LoadResult> {
    const stored = await this.#store(PREVIOUS_FILE).read();
    if ("problem" in stored) throw unusable(stored.problem);
    if ("absent" in stored) throw nothingError("there is nothing to roll back to: no set was in force before an apply");
    return this.#load(stored.set.texts);
  }

  async forgetPrevious(): Promise<void> {
    await rm(join(this.#directory, PREVIOUS_FILE), { force: true });
  }

  #store(file: string): LastGoodStore {
    return new LastGoodStore({ directory: this.#directory, file, onFailure: () => {} });
  }

  #load(texts: readonly PolicyText[]): LoadResult {
    const loaded = new ResourceLoader(loadOptions(this.#lenientYaml)).loadTexts(texts);
    reportLoad(this.#log, loaded);
    if (loaded.errors.length > 0) throw new PolicyError(loaded.errors);
    return loaded;
  }
}

function unusable({ message }: RampartError): RampartError {
  return new RampartError("RAMPART_E_APPLY_STATE", message, { hint: "only its owner may write it; apply the set again" });
}
