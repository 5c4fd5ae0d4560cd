/**
 * Records a CPU profile of every queue reader's thread, for a time or until
 * the daemon stops, and writes .cpuprofile files: what Chrome's DevTools and
 * speedscope show as a flame graph.
 */
import { accessSync, constants, writeFileSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import type { Logger } from "pino";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { inSourceFiles } from "./profile-sources.ts";

export interface CpuProfileOptions {
  /** Relative to the working directory. It is the first queue's; each other queue has its own, with the queue's number in its name. */
  readonly file: string;
  readonly seconds: number;
}

export class CpuProfile {
  readonly #pool: WorkerPool;
  readonly #log: Logger;
  readonly #file: string;
  readonly #seconds: number;
  #timer: NodeJS.Timeout | undefined;

  /** RAMPART_E_CPU_PROFILE when no file can be made there. */
  constructor(pool: WorkerPool, log: Logger, { file, seconds }: CpuProfileOptions) {
    this.#pool = pool;
    this.#log = log;
    this.#file = resolve(file);
    this.#seconds = seconds;
    try {
      accessSync(dirname(this.#file), constants.W_OK);
    } catch (cause) {
      throw new RampartError("RAMPART_E_CPU_PROFILE", `no profile can be written to ${this.#file}`, {
        hint: "give --profile a file in a directory that exists and can be written",
        cause,
      });
    }
  }

  async start(): Promise<void> {
    await this.#pool.startProfile();
    this.#log.info({ file: this.#file, seconds: this.#seconds }, "profiling the packet path");
    this.#timer = setTimeout(() => void this.finish(), this.#seconds * 1000);
  }

  /** Writes what was recorded; does nothing the second time, or before `start`. */
  async finish(): Promise<void> {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    try {
      const profiles = await this.#pool.endProfile();
      for (const [i, { queue, json }] of profiles.entries()) {
        const file = i === 0 ? this.#file : withQueue(this.#file, queue);
        writeFileSync(file, json === "" ? json : inSourceFiles(json));
        this.#log.info({ queue, file }, "profile written; Chrome DevTools and speedscope.app open it");
      }
    } catch (error) {
      this.#log.error({ err: error, file: this.#file }, "the profile could not be written");
    }
  }
}

function withQueue(file: string, queue: number): string {
  const extension = extname(file);
  return `${file.slice(0, file.length - extension.length)}-queue${queue}${extension}`;
}
