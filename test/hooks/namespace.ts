/**
 * A network namespace of a test's own, entered without root: user, network,
 * mount and pid namespaces held open by one process, with an empty /run (the
 * xtables lock and named network namespaces live there).
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { CommandRunner } from "../../src/hooks/command.ts";
import { runCommand } from "../../src/hooks/command.ts";

/** Users' shells often lack the system directories. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };

export class Namespace {
  readonly #holder: ChildProcess;
  readonly #enter: readonly string[];

  private constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.#enter = ["--preserve-credentials", "-U", "-n", "-m", "-p", "-t", String(pid), "--"];
  }

  static async create(): Promise<Namespace> {
    const script = "mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec sleep 600";
    const holder = spawn("unshare", ["-Urnmpf", "--kill-child", "--mount-proc", "sh", "-c", script], { env: ENVIRONMENT });
    let said = "";
    holder.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    const ready = once(holder.stdout, "data");
    const ended = once(holder, "exit");
    if ((await Promise.race([ready, ended]))[0]?.toString() !== "ready\n") throw new Error(`no namespace: ${said}`);
    const children = await readFile(`/proc/${holder.pid}/task/${holder.pid}/children`, "utf8");
    return new Namespace(holder, Number(children));
  }

  async close(): Promise<void> {
    const ended = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await ended;
  }

  /** Runs programs of this machine inside the namespace. */
  readonly run: CommandRunner = (file, args, options) => runCommand("nsenter", [...this.#enter, file, ...args], options);

  /** Runs a shell script inside; its standard output. Throws when it fails. */
  async sh(script: string): Promise<string> {
    const result = await this.run("sh", ["-ec", script], { timeoutMilliseconds: 20_000 });
    if (result?.status !== 0) throw new Error(`${script}: ${result?.stderr}`);
    return result.stdout;
  }

  /** Starts a program that ends with the namespace. */
  spawn(file: string, args: readonly string[]): ChildProcess {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    return spawn("nsenter", [...this.#enter, file, ...args], { stdio: [...stdio], env: ENVIRONMENT });
  }
}
