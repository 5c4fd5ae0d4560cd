/**
 * Keeps a policy set on disk, in one file of the state directory: the set in
 * force, or one of `apply` (daemon/trial.ts).
 * The file is always a whole set, the old one or the new one, also when the
 * power fails in the middle of a write. A set that cannot be written is
 * counted and told, and never a reason not to enforce it.
 */
import { constants, mkdirSync } from "node:fs";
import { link, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as yieldToEvents } from "node:timers/promises";
import { RampartError } from "../errors/rampart-error.ts";
import type { PolicyText } from "../resources/load.ts";
import { decodeSet, encodeSet, LAST_GOOD_BYTES } from "./last-good-format.ts";

/** The set in force; what somebody wants applied; what was in force before the last apply. */
export const LAST_GOOD_FILE = "last-good";
export const CANDIDATE_FILE = "candidate";
export const PREVIOUS_FILE = "previous";
const PART_BYTES = 1024 * 1024;
const OTHERS_WRITE = 0o022;
/** A pipe would keep us waiting, and a link lead elsewhere. */
const READ_ONLY = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

export interface StoredSet {
  readonly texts: readonly PolicyText[];
  /** When it was written. */
  readonly savedAt: Date;
}

export type StoredState = { readonly set: StoredSet } | { readonly absent: true } | { readonly problem: RampartError };

export interface LastGoodStoreOptions {
  /** Made with mode 0700 if its parent is there. */
  readonly directory: string;
  /** Name of the file in it; default LAST_GOOD_FILE. */
  readonly file?: string;
  /** Bytes of the file at most; default LAST_GOOD_BYTES. */
  readonly limit?: number;
  readonly onFailure: (error: RampartError) => void;
}

export class LastGoodStore {
  readonly file: string;
  readonly #directory: string;
  readonly #limit: number;
  readonly #onFailure: (error: RampartError) => void;
  /** Of the set on disk, as far as we know it. */
  #digest: string | undefined;
  #waiting: readonly PolicyText[] | undefined;
  #writing: Promise<void> | undefined;
  #failures = 0;
  #current = false;

  constructor({ directory, file = LAST_GOOD_FILE, limit = LAST_GOOD_BYTES, onFailure }: LastGoodStoreOptions) {
    this.file = join(directory, file);
    this.#directory = directory;
    this.#limit = limit;
    this.#onFailure = onFailure;
  }

  /** Sets that could not be written. */
  get failures(): number {
    return this.#failures;
  }

  /** True when the file holds the set that was saved last, or that was read and adopted. */
  get current(): boolean {
    return this.#current;
  }

  /** Of the set on disk, as far as we have read or written it (setDigest). */
  get digest(): string | undefined {
    return this.#digest;
  }

  /**
   * Gives the set on disk a second name in the directory, in place of what has that name. It stays the same set when
   * the first name gets another one. @throws where there is no file, or no right.
   */
  async keepAs(name: string): Promise<void> {
    const target = join(this.#directory, name);
    const temporary = `${target}.new`;
    await rm(temporary, { force: true });
    await link(this.file, temporary);
    await rename(temporary, target);
    // rename(2) leaves both names where they are one file already.
    await rm(temporary, { force: true });
    await syncDirectory(this.#directory);
  }

  /** What is on disk. `problem` is RAMPART_E_LAST_GOOD: there is a file, and it cannot be used. */
  async read(): Promise<StoredState> {
    this.#digest = undefined;
    let bytes: Buffer;
    let savedAt: Date;
    try {
      const handle = await open(this.file, READ_ONLY);
      try {
        const stat = await handle.stat();
        if (!stat.isFile()) return this.#unusable("it is no regular file");
        // The checksum is no signature: whoever may write the file may write one that fits.
        if ((stat.mode & OTHERS_WRITE) !== 0) return this.#unusable("others than its owner may write it");
        if (stat.size > this.#limit) return this.#unusable(`it is larger than ${this.#limit} bytes`);
        savedAt = stat.mtime;
        bytes = await readFile(handle);
      } finally {
        await handle.close();
      }
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return { absent: true };
      return this.#unusable(reasonOf(cause));
    }
    const decoded = decodeSet(bytes);
    if ("problem" in decoded) return this.#unusable(decoded.problem);
    this.#digest = decoded.digest;
    return { set: { texts: decoded.texts, savedAt } };
  }

  /** The set that was read is what is to be kept. */
  adopt(): void {
    this.#current = this.#digest !== undefined;
  }

  /** Has the set written if it is not the one on disk; of several that wait, the last. Never throws and never waits. */
  save(texts: readonly PolicyText[]): void {
    this.#waiting = texts;
    this.#current = false;
    this.#writing ??= this.#writeWaiting();
  }

  /** Resolves when nothing waits to be written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting !== undefined) {
      // Whoever asked for the set has his answer before a large one is hashed.
      await yieldToEvents();
      const texts = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#write(texts);
        this.#current = this.#waiting === undefined;
      } catch (cause) {
        this.#failures++;
        this.#onFailure(
          new RampartError("RAMPART_W_LAST_GOOD", `cannot keep the policy set in ${this.file}: ${reasonOf(cause)}`, {
            hint: "a start with broken policy files would not find it; make stateDirectory writable for the daemon",
            cause,
          }),
        );
      }
    }
    this.#writing = undefined;
  }

  async #write(texts: readonly PolicyText[]): Promise<void> {
    const { digest, chunks, bytes } = encodeSet(texts);
    if (bytes > this.#limit) throw new Error(`it would have ${bytes} bytes, and ${this.#limit} is the limit`);
    // What another start left there is only known when it was read to its end.
    if (this.#digest === undefined) await this.read();
    if (this.#digest === digest) return;
    makeDirectory(this.#directory);
    const temporary = `${this.file}.new`;
    // Half of an earlier write, perhaps with other rights.
    await rm(temporary, { force: true });
    const handle = await open(temporary, "wx", 0o600);
    try {
      for (const part of largeParts(chunks)) await handle.writeFile(part);
      // A command run as root writes for a daemon that may be another user.
      const { uid, gid } = await stat(this.#directory);
      if (process.geteuid?.() === 0 && uid !== 0) await handle.chown(uid, gid);
      await handle.sync();
    } finally {
      await handle.close();
    }
    this.#digest = undefined;
    await rename(temporary, this.file);
    await syncDirectory(this.#directory);
    this.#digest = digest;
  }

  #unusable(reason: string): StoredState {
    return {
      problem: new RampartError("RAMPART_E_LAST_GOOD", `${this.file} cannot be used: ${reason}`, {
        hint: "the next policy set that comes into force replaces it",
      }),
    };
  }
}

/** The same bytes in few parts, so that a policy directory of many small files is not as many writes. */
function* largeParts(chunks: readonly Buffer[]): Generator<Buffer> {
  let from = 0;
  let bytes = 0;
  for (const [index, chunk] of chunks.entries()) {
    bytes += chunk.length;
    if (bytes < PART_BYTES && index < chunks.length - 1) continue;
    yield Buffer.concat(chunks.slice(from, index + 1));
    from = index + 1;
    bytes = 0;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Only the last directory: Node's recursive mkdir never returns below /proc. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
