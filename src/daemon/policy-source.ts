/**
 * Where policies come from. Files and directories are the first source; a
 * source only loads and tells of changes, it never applies anything.
 */
import { type FSWatcher, watch } from "chokidar";
import type { Settings } from "../config/settings.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import { type LoadResult, type PolicyText, ResourceLoader } from "../resources/load.ts";
import { areTooManyFiles } from "../resources/source-files.ts";
import { loadOptions } from "./load-options.ts";
import { PolicyNames } from "./policy-names.ts";

/** Changes that never end are loaded all the same, after this many quiet times. */
const LONGEST_WAIT = 5;

export interface PolicySource {
  /** Everything there is, with every error found. */
  load(): LoadResult;
  /** What a load has read, under names that say the same on another day and in another place. */
  textsOf(loaded: LoadResult): PolicyText[];
  /**
   * Calls back after changes, once they have been quiet for a while or gone on for long; no change after it resolved
   * is missed.
   */
  watch(onChange: () => void, onError: (error: unknown) => void): Promise<void>;
  close(): Promise<void>;
}

export class FilePolicySource implements PolicySource {
  readonly #paths: readonly string[];
  readonly #debounceMs: number;
  readonly #loader: ResourceLoader;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** performance.now() of the first change that was not told of. */
  #changedAt: number | undefined;

  constructor({ paths, debounceMs, lenientYaml }: Settings["policy"]) {
    this.#paths = paths;
    this.#debounceMs = debounceMs;
    this.#loader = new ResourceLoader(loadOptions(lenientYaml));
  }

  load(): LoadResult {
    return this.#loader.load(this.#paths);
  }

  /** Relative to the directory that all policy paths are in. */
  textsOf({ texts }: LoadResult): PolicyText[] {
    const names = new PolicyNames(this.#paths);
    return texts.map(({ file, text }) => ({ file: names.nameOf(file), text }));
  }

  async watch(onChange: () => void, onError: (error: unknown) => void): Promise<void> {
    // To watch each of a million files takes minutes and gigabytes, and the load refuses them anyway.
    if (areTooManyFiles(this.#paths, DEFAULT_LIMITS)) {
      onError(new RampartError("RAMPART_E_LIMIT", `more than ${DEFAULT_LIMITS.files} policy files are not watched`));
      return;
    }
    const watcher = watch([...this.#paths], { ignoreInitial: true });
    this.#watcher = watcher;
    watcher.on("all", () => {
      const now = performance.now();
      this.#changedAt ??= now;
      const latest = this.#changedAt + LONGEST_WAIT * this.#debounceMs;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(
        () => {
          this.#changedAt = undefined;
          onChange();
        },
        Math.max(0, Math.min(this.#debounceMs, latest - now)),
      );
    });
    await new Promise<void>((resolve) => {
      watcher.once("ready", resolve);
      watcher.on("error", (error) => {
        onError(error);
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#watcher?.close();
  }
}
