/**
 * Writes the policy files that say what is in force. Only those that differ are
 * touched; each is replaced whole, and what was there before is kept in the
 * state directory. When writing is interrupted the daemon knows (daemon/trial.ts).
 */
import { chmodSync, chownSync, closeSync, copyFileSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type ApplyOutcome, type ApplyWhere, parseApplyOutcome } from "../control/plan.ts";
import { LastGoodStore } from "../daemon/last-good-store.ts";
import { PolicyNames } from "../daemon/policy-names.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { loadResources } from "../resources/load.ts";
import { callDaemon, type DaemonOptions } from "./daemon-call.ts";

const REPLACED = "replaced";
/** Hidden, so that no load reads it. */
const TEMPORARY = ".rampart-new-";

/** Has the policy files say what is in force, where they do not; prints what was done. @throws RampartError */
export async function installPolicyFiles(options: DaemonOptions, where: ApplyWhere, outcome: ApplyOutcome): Promise<void> {
  if (!outcome.install) return;
  const kept = join(where.stateDirectory, REPLACED);
  const { written, removed } = await writePolicyFiles(where, outcome.digest, kept);
  parseApplyOutcome(await callDaemon(options, "apply-done"));
  const counts = `${written} written, ${removed} removed`;
  process.stdout.write(`policy files in ${where.paths.join(", ")}: ${counts}; what was there before is in ${kept}\n`);
}

async function writePolicyFiles(
  { stateDirectory, paths }: ApplyWhere,
  digest: string,
  kept: string,
): Promise<{ readonly written: number; readonly removed: number }> {
  const store = new LastGoodStore({ directory: stateDirectory, onFailure: () => {} });
  const stored = await store.read();
  if ("problem" in stored) throw failure(stored.problem.message, stored.problem);
  if ("absent" in stored || store.digest !== digest) throw failure(`${store.file} is not the set in force`, undefined);
  const names = new PolicyNames(paths);
  const wanted = new Map<string, string>();
  for (const { file: name, text } of stored.set.texts) {
    const file = names.fileOf(name);
    if (file === undefined) throw failure(`the set has a file ${name}, which is none of policy.paths`, undefined);
    wanted.set(file, text);
  }
  const { files, texts } = loadResources(paths);
  const present = new Map(texts.map(({ file, text }) => [file, text]));
  const changed = [...wanted].filter(([file, text]) => present.get(file) !== text);
  const surplus = files.filter((file) => !wanted.has(file));
  try {
    rmSync(kept, { recursive: true, force: true });
    for (const file of [...changed.map(([name]) => name), ...surplus]) keep(file, join(kept, names.nameOf(file)));
    const ready = changed.map(([file, text]) => [prepare(file, text), file] as const);
    for (const [temporary, file] of ready) renameSync(temporary, file);
    for (const file of surplus) rmSync(file);
    for (const directory of new Set([...wanted.keys(), ...surplus].map((file) => dirname(file)))) sync(directory);
  } catch (cause) {
    throw failure(cause instanceof Error ? cause.message : String(cause), cause);
  }
  return { written: changed.length, removed: surplus.length };
}

function keep(file: string, as: string): void {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return;
  mkdirSync(dirname(as), { recursive: true, mode: 0o700 });
  copyFileSync(file, as);
}

/** The new file beside the one it will replace, with that one's owner and mode. */
function prepare(file: string, text: string): string {
  const before = statSync(file, { throwIfNoEntry: false });
  mkdirSync(dirname(file), { recursive: true });
  const temporary = join(dirname(file), `${TEMPORARY}${basename(file)}`);
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { flag: "wx", mode: 0o644 });
  if (before !== undefined) {
    chownSync(temporary, before.uid, before.gid);
    chmodSync(temporary, before.mode & 0o7777);
  }
  sync(temporary);
  return temporary;
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function failure(reason: string, cause: unknown): RampartError {
  return new RampartError("RAMPART_E_APPLY_FILES", `the set is in force, but the policy files are not written: ${reason}`, {
    hint: "a restart enforces the set all the same and says so; make the files writable and apply it again",
    cause,
  });
}
