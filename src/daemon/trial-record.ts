/**
 * What a start has to know of an apply that did not come to its end, in one
 * small file of the state directory:
 *
 *   unconfirmed  policy files with this digest were on trial; nobody said that
 *                they are good, so they are not enforced by themselves
 *   installing   the last good set has this digest and is being written to the
 *                policy files; others than it may be half of it
 *
 * A record is on disk before what it warns of can happen.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { stateError } from "./trial-error.ts";

const FILE = "apply-state";

export interface TrialRecord {
  readonly state: "unconfirmed" | "installing";
  readonly digest: string;
}

export class TrialRecordFile {
  readonly #directory: string;
  readonly #file: string;
  #record: TrialRecord | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.#file = join(directory, FILE);
  }

  get record(): TrialRecord | undefined {
    return this.#record;
  }

  /** What an earlier process left; what is no record counts as none. */
  read(): void {
    try {
      const { state, digest } = JSON.parse(readFileSync(this.#file, "utf8")) as Record<string, unknown>;
      const known = (state === "unconfirmed" || state === "installing") && typeof digest === "string";
      this.#record = known ? { state, digest } : undefined;
    } catch {
      this.#record = undefined;
    }
  }

  /** @throws RampartError RAMPART_E_APPLY_STATE where it cannot be kept. */
  write(record: TrialRecord): void {
    const temporary = `${this.#file}.new`;
    try {
      const descriptor = openSync(temporary, "w", 0o600);
      try {
        writeSync(descriptor, JSON.stringify(record));
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, this.#file);
      this.#sync();
    } catch (cause) {
      throw stateError(`cannot write ${this.#file}`, cause);
    }
    this.#record = record;
  }

  /** @throws RampartError RAMPART_E_APPLY_STATE */
  clear(): void {
    if (this.#record === undefined) return;
    try {
      rmSync(this.#file, { force: true });
      this.#sync();
    } catch (cause) {
      throw stateError(`cannot remove ${this.#file}`, cause);
    }
    this.#record = undefined;
  }

  #sync(): void {
    const descriptor = openSync(this.#directory, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}
