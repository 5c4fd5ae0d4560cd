/** What the daemon tells its service manager, heard by the Perl program beside this file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";

const PROGRAM = fileURLToPath(new URL("notify-socket.pl", import.meta.url));

export class NotifySocket {
  readonly path: string;
  readonly #directory: string;
  readonly #process: SandboxProcess;

  private constructor(directory: string, path: string, process: SandboxProcess) {
    this.#directory = directory;
    this.path = path;
    this.#process = process;
  }

  static async listen(host: Host): Promise<NotifySocket> {
    const directory = mkdtempSync(join(tmpdir(), "rampart-notify-"));
    const path = join(directory, "socket");
    const process = host.spawn(["perl", PROGRAM, path]);
    await process.waitForOutput(/^listening\n/);
    return new NotifySocket(directory, path, process);
  }

  /** How often a line came so far. */
  count(line: string): number {
    return this.#process.stdout.split("\n").filter((each) => each === line).length;
  }

  /** Resolves when the line has come `times` more. */
  async more(line: string, times: number, timeoutMs = 15_000): Promise<void> {
    const goal = this.count(line) + times;
    await this.#process.waitForOutput(new RegExp(`(?:^${line}$[^]*?){${goal}}`, "m"), timeoutMs);
  }

  async close(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
