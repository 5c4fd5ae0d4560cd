/**
 * Where policies come from. Files and directories are the first source; a
 * source only loads and tells of changes, it never applies anything.
 */
import { dirname, relative } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Settings } from "../config/settings.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { DEFAULT_LIMITS } from "../resources/load-limits.ts";
import { type LoadResult, type PolicyText, ResourceLoader } from "../resources/load.ts";
import { areTooManyFiles } from "../resources/source-files.ts";
import { loadOptions } from "./load-options.ts";

export interface PolicySource {
  /** Everything there is, with every error found. */
  load(): LoadResult;
  /** What a load has read, under names that say the same on another day and in another place. */
  textsOf(loaded: LoadResult): PolicyText[];
  /** Calls back after changes, once they have been quiet for a while; no change after it resolved is missed. */
  watch(onChange: () => void, onError: (error: unknown) => void): Promise<void>;
  close(): Promise<void>;
}

export class FilePolicySource implements PolicySource {
  readonly #paths: readonly string[];
  readonly #debounceMs: number;
  readonly #loader: ResourceLoader;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

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
    const above = this.#paths.map((path) => dirname(path)).reduce(commonDirectory);
    return texts.map(({ file, text }) => ({ file: relative(above, file), text }));
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
      clearTimeout(this.#timer);
      this.#timer = setTimeout(onChange, this.#debounceMs);
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

function commonDirectory(a: string, b: string): string {
  let common = a;
  while (relative(common, b).startsWith("..")) common = dirname(common);
  return common;
}
