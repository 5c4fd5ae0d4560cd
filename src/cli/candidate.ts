/**
 * A policy set from files to the daemon. It goes by way of a file in the
 * daemon's state directory, because a set may be larger than a control message
 * and its files where the daemon cannot read; its digest says which it is.
 */
import { realpathSync, statSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import type { ApplyWhere } from "../control/plan.ts";
import { LastGoodStore, CANDIDATE_FILE } from "../daemon/last-good-store.ts";
import { loadOptions } from "../daemon/load-options.ts";
import { PolicyError } from "../daemon/policy-error.ts";
import { isWithin, PolicyNames } from "../daemon/policy-names.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { formatWarning } from "../resources/diagnostics.ts";
import { loadResources, type PolicyText } from "../resources/load.ts";

const POLICY_FILE = /\.(yaml|yml|json)$/;

/**
 * Checks the files as the daemon does and puts them where it finds them; errors and warnings go to stderr. Without
 * `path` these are the policy files as they are. Resolves to the digest.
 * @throws RampartError RAMPART_E_POLICY, RAMPART_E_APPLY_TARGET, RAMPART_E_APPLY_STATE
 */
export async function stageCandidate(path: string | undefined, where: ApplyWhere): Promise<string> {
  const paths = path === undefined ? where.paths : [path];
  const { texts, errors, warnings } = loadResources(paths, loadOptions(where.lenientYaml));
  for (const error of errors) process.stderr.write(`${formatError(error)}\n`);
  for (const warning of warnings) process.stderr.write(`${formatWarning(warning)}\n`);
  if (errors.length > 0) throw new PolicyError(errors);
  const named = nameTexts(path, texts, where.paths);
  let failure: RampartError | undefined;
  const store = new LastGoodStore({
    directory: where.stateDirectory,
    file: CANDIDATE_FILE,
    onFailure: (error) => (failure = error),
  });
  store.save(named);
  await store.settled();
  if (failure !== undefined || store.digest === undefined) {
    throw new RampartError("RAMPART_E_APPLY_STATE", failure?.message ?? `cannot write ${store.file}`, {
      hint: "run this command as the user the daemon runs as, usually with sudo",
      cause: failure,
    });
  }
  return store.digest;
}

/** The texts under the names that they would have as the policy files. */
function nameTexts(path: string | undefined, texts: readonly PolicyText[], paths: readonly string[]): PolicyText[] {
  const names = new PolicyNames(paths);
  const [target] = paths;
  if (path === undefined || isSame(path, paths)) {
    // A file keeps the name that the settings lead to, however the path was written.
    const from = path === undefined || target === undefined ? undefined : { path: resolve(path), target };
    return texts.map(({ file, text }) => {
      const asConfigured = from === undefined ? file : join(from.target, relative(from.path, resolve(file)));
      return { file: names.nameOf(asConfigured), text };
    });
  }
  if (target === undefined || paths.length > 1) {
    throw targetError("policy.paths names several paths, and it is not clear which of them the set is for", paths);
  }
  const source = realpathSync(path);
  const place = realpathIfThere(target);
  if (isWithin(place, source)) throw targetError(`${path} is only a part of the policy files`, paths);
  if (isWithin(source, place)) throw targetError(`${path} holds the policy files and more`, paths);
  const isFile = !statSync(source).isDirectory();
  if (statSync(place, { throwIfNoEntry: false })?.isFile() === true) {
    if (!isFile) throw targetError(`policy.paths names a file, and ${path} is a directory`, paths);
    return texts.map(({ text }) => ({ file: names.nameOf(target), text }));
  }
  return texts.map(({ file, text }) => {
    const name = isFile ? basename(file) : relative(path, file);
    return { file: names.nameOf(join(target, POLICY_FILE.test(name) ? name : `${name}.yaml`)), text };
  });
}

function isSame(path: string, [target, ...others]: readonly string[]): boolean {
  return target !== undefined && others.length === 0 && realpathIfThere(path) === realpathIfThere(target);
}

function realpathIfThere(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function targetError(message: string, paths: readonly string[]): RampartError {
  return new RampartError("RAMPART_E_APPLY_TARGET", message, {
    hint: `a path is a whole policy set, which replaces ${paths.join(", ")}; edit those and give no path to apply them as they are`,
  });
}
