/**
 * A process that runs inside a sandbox host. The child we hold is nsenter,
 * outside the sandbox; the process itself is nsenter's only child, inside.
 * Signals go to the process, never to nsenter (but SIGCONT to both), and the
 * exit status is the process's own.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { RampartError } from "../errors/rampart-error.ts";

export interface SpawnOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Keep stdin open for `write`; otherwise the process reads end of file. */
  readonly stdin?: boolean;
}

export interface ProcessExit {
  /** null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

// Tells on descriptor 3 that it is inside, then becomes the command.
const ENTER_SCRIPT = 'echo inside >&3; cd "$0" && exec "$@" 3>&-';

const OUTPUT_GRACE_MS = 250;

export class SandboxProcess {
  readonly argv: readonly string[];
  /**
   * Settles when the process is gone and its output was read; never rejects. Output of children that
   * outlive the process is waited for only briefly.
   */
  readonly exited: Promise<ProcessExit>;
  readonly #child: ChildProcess;
  readonly #inside: Promise<void>;
  readonly #watchers = new Set<() => void>();
  #stdout = "";
  #stderr = "";
  #exit: ProcessExit | undefined;

  /** `entry` is the nsenter command line that leads into the host. */
  constructor(entry: readonly string[], argv: readonly string[], options: SpawnOptions = {}) {
    this.argv = argv;
    const [command = "nsenter", ...entryArguments] = entry;
    this.#child = spawn(command, [...entryArguments, "sh", "-c", ENTER_SCRIPT, options.cwd ?? process.cwd(), ...argv], {
      stdio: [options.stdin === true ? "pipe" : "ignore", "pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: systemPath(), ...options.env },
    });
    const announcement = this.#child.stdio[3] as Readable;
    this.#inside = new Promise((resolve) => {
      announcement.once("data", () => resolve());
      announcement.once("close", () => resolve());
      announcement.resume();
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#notify();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#notify();
    });
    // A process that dies with unread input must not take us down with EPIPE.
    this.#child.stdin?.on("error", () => undefined);
    this.exited = new Promise((resolve) => {
      const settle = (exit: ProcessExit) => {
        if (this.#exit !== undefined) return;
        this.#exit = exit;
        this.#notify();
        resolve(exit);
      };
      this.#child.once("error", (error) => {
        this.#stderr += `${error.message}\n`;
        settle({ code: 127, signal: null });
      });
      this.#child.once("close", (code, signal) => settle({ code, signal }));
      this.#child.once("exit", (code, signal) => setTimeout(() => settle({ code, signal }), OUTPUT_GRACE_MS));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Called whenever output arrived or the process ended; returns the way to stop it. */
  onActivity(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Resolves when the process was signalled; a process that is already gone is left in peace. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    await this.#inside;
    const outer = this.#child.pid;
    if (!this.running || outer === undefined) return;
    // nsenter stops itself when its child is stopped, and then does not see the child's end.
    const targets = signal === "SIGCONT" ? [...childrenOf(outer), outer] : childrenOf(outer);
    for (const pid of targets) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
      }
    }
    // nsenter stops itself when its child is stopped, and does not go on with it.
    if (signal === "SIGCONT") this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL after `graceMs`. */
  async stop(graceMs = 5000): Promise<ProcessExit> {
    await this.signal("SIGTERM");
    const killer = setTimeout(() => void this.signal("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(killer);
    return exit;
  }

  /** First match in stdout or stderr, also in what was printed before. RAMPART_E_SANDBOX_OUTPUT when it never comes. */
  waitForOutput(pattern: RegExp, timeoutMs = 5000): Promise<RegExpMatchArray> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer);
        unwatch();
        act();
      };
      const look = () => {
        const match = this.#stdout.match(pattern) ?? this.#stderr.match(pattern);
        if (match !== null) finish(() => resolve(match));
        else if (!this.running) finish(() => reject(this.#noOutput(pattern, "ended without printing")));
      };
      const timer = setTimeout(
        () => finish(() => reject(this.#noOutput(pattern, `did not print within ${timeoutMs} ms`))),
        timeoutMs,
      );
      const unwatch = this.onActivity(look);
      look();
    });
  }

  #noOutput(pattern: RegExp, how: string): RampartError {
    return new RampartError("RAMPART_E_SANDBOX_OUTPUT", `${this.argv.join(" ")} ${how} ${pattern}`, {
      hint: `it printed: ${(this.#stdout + this.#stderr).slice(-2000) || "nothing"}`,
    });
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

/** Children of a process, as /proc tells them; empty when it is gone. */
export function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter((word) => word !== "").map(Number);
  } catch {
    return [];
  }
}

/** ip and iptables live in sbin, which an ordinary user's PATH may leave out. */
export function systemPath(): string {
  const path = process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  const missing = ["/usr/sbin", "/sbin"].filter((folder) => !path.split(":").includes(folder));
  return [path, ...missing].join(":");
}
