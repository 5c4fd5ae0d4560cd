/** Runs one program to its end: no shell, bounded time, everything it printed. */
import { spawn } from "node:child_process";
import { RampartError } from "../errors/rampart-error.ts";

export interface CommandOptions {
  /** Written to its standard input; empty by default. */
  readonly input?: string;
  readonly timeoutMilliseconds: number;
  /** Search path; by default this process's, with the system directories that users' shells often lack. */
  readonly path?: string;
  /** Told the process id as soon as there is one. */
  readonly onStart?: (pid: number) => void;
}

export interface CommandResult {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Undefined when there is no such program. */
export type CommandRunner = (
  file: string,
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandResult | undefined>;

/** What a command finds in its environment: above all the search path, and messages that can be read. */
export function commandEnvironment({ path }: CommandOptions): NodeJS.ProcessEnv & { readonly PATH: string } {
  return { ...process.env, PATH: path ?? `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" };
}

export function commandTimeout(file: string, { timeoutMilliseconds }: CommandOptions): RampartError {
  const message = `${file} did not finish within ${timeoutMilliseconds / 1000} s`;
  return new RampartError("RAMPART_E_IPTABLES_FAILED", message, {
    hint: "another program may hold the xtables lock; see which one with: fuser -v /run/xtables.lock",
  });
}

/** Throws RAMPART_E_IPTABLES_FAILED when the time is over, after killing the program. */
export const runCommand: CommandRunner = (file, args, options) =>
  new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { env: commandEnvironment(options) });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(commandTimeout(file, options));
    }, options.timeoutMilliseconds);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.on("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      // EACCES: a directory of PATH may not be searched, which hides a program as well as its absence does.
      if (error.code === "ENOENT" || error.code === "EACCES") resolve(undefined);
      else reject(error);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
    // A program that ends without reading its input is judged by its status.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
