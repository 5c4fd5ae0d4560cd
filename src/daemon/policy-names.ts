/** How policy files are called wherever they are kept: relative to the directory that all policy paths are in. */
import { dirname, join, relative } from "node:path";

export class PolicyNames {
  readonly #above: string;
  readonly #paths: readonly string[];

  /** `paths`: policy.paths of the settings, absolute. */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
    this.#above = paths.map((path) => dirname(path)).reduce(commonDirectory);
  }

  nameOf(file: string): string {
    return relative(this.#above, file);
  }

  /** The file of that name; undefined where it would not be a policy path's, or in one. */
  fileOf(name: string): string | undefined {
    const file = join(this.#above, name);
    return this.#paths.some((path) => isWithin(path, file)) ? file : undefined;
  }
}

/** Is `file` the path itself or beneath it? Both absolute. */
export function isWithin(path: string, file: string): boolean {
  const way = relative(path, file);
  return way === "" || !(way === ".." || way.startsWith("../"));
}

function commonDirectory(a: string, b: string): string {
  let common = a;
  while (!isWithin(common, b)) common = dirname(common);
  return common;
}
