/**
 * The real daemon on a sandbox host, with a policy directory and settings of
 * its own in a temporary directory. Files are the user's way in and out:
 * policies change by changing files, and state is read through the daemon's
 * own command line, metrics and log.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RampartError } from "../errors/rampart-error.ts";
import type { Host, RunResult } from "./host.ts";
import { httpGet } from "./probe.ts";
import type { HttpAnswer } from "./probe.ts";
import type { ProcessExit, SandboxProcess } from "./process.ts";

const CLI_FILE = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/bundle/main.js" : "../bundle/main.js", import.meta.url),
);
const METRICS_PORT = 9095;
const START_TIMEOUT_MS = 15_000;
/** The environment's word on `datapath.offload` where a daemon's settings have none: one scenario, run in either mode. */
const OFFLOAD = process.env["RAMPART_SANDBOX_OFFLOAD"] ?? "connmark";
const CHANGE_TIMEOUT_MS = 10_000;
/** A restart loads and compiles everything anew. */
const COMMAND_TIMEOUT_MS = 30_000;
/** A page of metrics waits its turn behind a change of the hooks, which takes long on a busy machine. */
const PAGE_TIMEOUT_MS = 10_000;
const PAGE_GAP_MS = 3_000;

export type SettingsOverlay = Readonly<Record<string, unknown>>;

export interface RampartOptions {
  /** File name to YAML text. */
  readonly policies: Readonly<Record<string, string>>;
  /**
   * Laid over the sandbox's settings, section by section. `node` is the host's name unless told, and `queue.backend`
   * what RAMPART_SANDBOX_BACKEND says: so every test can be run on each backend.
   */
  readonly settings?: SettingsOverlay;
  /** More arguments for `rampart run`. */
  readonly args?: readonly string[];
  /** Put before the command line, such as setpriv and its arguments. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The daemon ended instead of becoming ready. */
export class RampartStartError extends RampartError {
  readonly exit: ProcessExit;
  readonly stdout: string;
  readonly stderr: string;

  constructor(daemon: SandboxProcess, exit: ProcessExit) {
    const lastWords = (daemon.stderr.trim() || daemon.stdout.trim()).split("\n").at(-1) || "it printed nothing";
    const how = `the daemon ended with ${exit.code ?? exit.signal} instead of enforcing`;
    super("RAMPART_E_SANDBOX_DAEMON", `${how}: ${lastWords}`);
    this.exit = exit;
    this.stdout = daemon.stdout;
    this.stderr = daemon.stderr;
  }
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

/** Write the files, start the daemon, come back when it enforces. Throws RampartStartError when it ends instead. */
export async function startRampart(host: Host, options: RampartOptions): Promise<RampartProcess> {
  const rampart = new RampartProcess(host, options);
  try {
    await rampart.start();
  } catch (error) {
    await rampart.stop();
    throw error;
  }
  return rampart;
}

export class RampartProcess {
  readonly host: Host;
  /** The policy directory; it holds what `policies` and `writePolicy` put there. */
  readonly policyDirectory: string;
  readonly configFile: string;
  /** The daemon makes it, and keeps its last good set there. */
  readonly stateDirectory: string;
  /** A path that any namespace can use. */
  readonly controlSocket: string;
  readonly #directory: string;
  readonly #options: RampartOptions;
  #process: SandboxProcess | undefined;
  /** Process id, inside the sandbox, of the daemon that has taken over from `#process`; nobody holds it as a child. */
  #successor: number | undefined;

  /** Made by `startRampart`; a daemon made by hand has its files but does not run before `start`. */
  constructor(host: Host, options: RampartOptions) {
    this.host = host;
    this.#options = options;
    this.#directory = mkdtempSync(join(tmpdir(), "rampart-"));
    this.policyDirectory = join(this.#directory, "policy.d");
    this.configFile = join(this.#directory, "rampart.yaml");
    this.stateDirectory = join(this.#directory, "state");
    this.controlSocket = join(this.#directory, "control.sock");
    mkdirSync(this.policyDirectory);
    for (const [name, text] of Object.entries(options.policies)) this.writePolicy(name, text);
    // JSON is YAML, so the file needs no writer of its own.
    writeFileSync(this.configFile, JSON.stringify(this.#settings(), null, 2));
  }

  /** Start, or start again after the daemon ended; resolves when it enforces. */
  async start(timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const daemon = this.launch();
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      if (!daemon.running) throw new RampartStartError(daemon, await daemon.exited);
      if (await this.#isReady()) return;
      if (Date.now() > deadline) {
        throw new RampartError("RAMPART_E_SANDBOX_DAEMON", `the daemon was not ready in ${timeoutMs} ms`, {
          hint: (daemon.stderr + daemon.stdout).trim() || "it printed nothing",
        });
      }
      await pause(20);
    }
  }

  /** Start without waiting. */
  launch(): SandboxProcess {
    const { wrapper = [], args = [], env = {} } = this.#options;
    const argv = [...wrapper, process.execPath, CLI_FILE, "run", "--config", this.configFile, ...args];
    this.#process = this.host.spawn(argv, { env });
    this.#successor = undefined;
    return this.#process;
  }

  get running(): boolean {
    return this.#successor !== undefined || (this.#process?.running ?? false);
  }

  /** `rampart restart`, to its end: another process is the daemon then, with the same output. Resolves to what it printed. */
  async restart(): Promise<string> {
    const result = await this.command(["restart"], { check: true });
    this.#successor = Number(/^process (\d+)/.exec(result.stdout)?.[1]);
    return result.stdout;
  }

  /** Replaced whole, as an editor or a deployment tool would. */
  writePolicy(name: string, text: string): void {
    const path = join(this.policyDirectory, name);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  }

  removePolicy(name: string): void {
    rmSync(join(this.policyDirectory, name));
  }

  /** The generation in force, as the metrics tell it. */
  async generation(): Promise<number> {
    const match = (await this.metrics()).match(/^rampart_generation(?:\{[^}]*\})? (\d+)/m);
    if (match === null) throw new RampartError("RAMPART_E_SANDBOX_DAEMON", "the metrics have no rampart_generation");
    return Number(match[1]);
  }

  /**
   * Wait until a generation other than `previous` is in force, and the policy was read after `since` (milliseconds
   * since the epoch); resolves to it.
   */
  async generationAfter(previous: number, timeoutMs = CHANGE_TIMEOUT_MS, since = 0): Promise<number> {
    return this.#until("a new generation", timeoutMs, async () => {
      const generation = await this.generation();
      const read = 1000 * (await this.metric("rampart_last_reload_timestamp_seconds"));
      return generation === previous || read < since ? undefined : generation;
    });
  }

  /**
   * Do something that changes the policy and wait until the change is in force; resolves to the generation. One
   * change of files may be told in several events, so an earlier one's last reload may still be under way.
   */
  async changePolicy(change: () => void | Promise<void>): Promise<number> {
    const before = await this.generation();
    const began = Date.now();
    await change();
    return this.generationAfter(before, CHANGE_TIMEOUT_MS, began);
  }

  /** What `rampart status --json` prints. */
  async status(): Promise<Record<string, unknown>> {
    const result = await this.command(["status", "--json"], { check: true });
    return JSON.parse(result.stdout) as Record<string, unknown>;
  }

  /** Run another command of Rampart with this daemon's settings. */
  command(args: readonly string[], options: { readonly check?: boolean } = {}): Promise<RunResult> {
    return this.host.run([...this.cli, ...args, "--config", this.configFile], { ...options, timeout: COMMAND_TIMEOUT_MS });
  }

  /** The beginning of a command line. */
  get cli(): readonly string[] {
    return [process.execPath, CLI_FILE];
  }

  /** The text of /metrics. */
  async metrics(): Promise<string> {
    return (await this.get("/metrics")).body;
  }

  /** The sum of a metric over every series whose labels include `labels`; 0 when there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    return sumOfSeries(await this.metrics(), name, labels);
  }

  /** Between a daemon and its successor nobody listens for a moment, and no command tells when that is over. */
  async get(path: string): Promise<HttpAnswer> {
    const deadline = Date.now() + (this.#successor === undefined ? 0 : PAGE_GAP_MS);
    for (;;) {
      try {
        return await httpGet(this.host, "127.0.0.1", METRICS_PORT, path, PAGE_TIMEOUT_MS);
      } catch (error) {
        if (Date.now() >= deadline) throw error;
        await pause(50);
      }
    }
  }

  /** The log of the current run: every line of output that is a JSON object. */
  logs(): LogLine[] {
    return this.output.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => {
      return JSON.parse(line) as LogLine;
    });
  }

  /** Everything the current run has printed. */
  get output(): string {
    return `${this.#process?.stdout ?? ""}\n${this.#process?.stderr ?? ""}`;
  }

  /** The first match in the output. */
  waitForOutput(pattern: RegExp, timeoutMs = 5000): Promise<RegExpMatchArray> {
    return this.#until(`output like ${pattern}`, timeoutMs, async () => this.output.match(pattern) ?? undefined);
  }

  /** First line of the current run's log that `accepts` takes, also one that is there already. */
  async waitForLog(what: string, accepts: (line: LogLine) => boolean, timeoutMs = 3000): Promise<LogLine> {
    return this.#until(`a log line with ${what}`, timeoutMs, async () => this.logs().find(accepts));
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#successor === undefined) await this.#process?.signal(signal);
    else await this.host.run(["kill", "-s", signal.slice("SIG".length), String(this.#successor)]);
  }

  /** SIGKILL, and wait until the process is gone. */
  async kill(): Promise<void> {
    await this.signal("SIGKILL");
    await this.exited();
  }

  /** Wait for the end of the current run. */
  async exited(): Promise<ProcessExit> {
    const successor = this.#successor;
    if (successor !== undefined) {
      const script = 'while grep -q "^State:[[:space:]]*[^XZ[:space:]]" /proc/$0/status 2>/dev/null; do sleep 0.01; done';
      await this.host.run(["sh", "-c", script, String(successor)], { check: true });
      this.#successor = undefined;
    }
    return (await this.#process?.exited) ?? { code: null, signal: null };
  }

  /** SIGTERM, wait for the end, and remove the files. The hooks stay, as after any stop of the daemon. */
  async stop(): Promise<ProcessExit> {
    const exit = await this.#end();
    rmSync(this.#directory, { recursive: true, force: true });
    return exit;
  }

  /** Stop, and leave the host as it was before the first start. */
  async uninstall(): Promise<void> {
    await this.#end();
    await this.removeHooks();
    await this.stop();
  }

  async #end(): Promise<ProcessExit> {
    if (this.#successor !== undefined) {
      await this.signal("SIGTERM");
      return this.exited();
    }
    return (await this.#process?.stop()) ?? { code: null, signal: null };
  }

  /** `rampart hooks remove` on the daemon's host; a running daemon would put its hooks back. */
  removeHooks(): Promise<RunResult> {
    return this.host.run([process.execPath, CLI_FILE, "hooks", "remove"], { check: true });
  }

  async #isReady(): Promise<boolean> {
    // With metrics switched off, the log is what tells.
    if (this.logs().some((line) => line.msg === "enforcing")) return true;
    try {
      return (await this.get("/readyz")).status === 200;
    } catch {
      return false;
    }
  }

  async #until<T>(what: string, timeoutMs: number, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > deadline || !this.running) {
        const why = this.running ? `did not show within ${timeoutMs} ms` : "cannot show, the daemon ended";
        throw new RampartError("RAMPART_E_SANDBOX_DAEMON", `${what} ${why}`, {
          hint: `its output ends: ${((this.#process?.stdout ?? "") + (this.#process?.stderr ?? "")).slice(-3000)}`,
        });
      }
      await pause(20);
    }
  }

  #settings(): SettingsOverlay {
    const base: Record<string, unknown> = {
      node: this.host.name,
      policy: { paths: [this.policyDirectory], watch: true, debounceMs: 50 },
      datapath: { offload: OFFLOAD },
      queue: { backend: process.env["RAMPART_SANDBOX_BACKEND"] ?? "native" },
      log: { level: "info", format: "json" },
      metrics: { listen: `127.0.0.1:${METRICS_PORT}` },
      stateDirectory: this.stateDirectory,
      control: { socket: this.controlSocket },
    };
    for (const [key, value] of Object.entries(this.#options.settings ?? {})) {
      const section = base[key];
      base[key] = isSection(section) && isSection(value) ? { ...section, ...value } : value;
    }
    return base;
  }
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Adds up the samples of one metric in the Prometheus text format. */
function sumOfSeries(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  let sum = 0;
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/);
    if (match === null || match[1] !== name) continue;
    const series = match[2] ?? "";
    if (Object.entries(labels).every(([label, value]) => series.includes(`${label}="${value}"`))) {
      sum += Number(match[3]);
    }
  }
  return sum;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
