/**
 * One host of a sandbox: a network namespace of its own, with the file system
 * of the machine. Everything a host runs ends with its sandbox.
 */
import { RampartError } from "../errors/rampart-error.ts";
import { TrafficAgent } from "./agent-client.ts";
import { SandboxProcess } from "./process.ts";
import type { SpawnOptions } from "./process.ts";

export interface RunOptions extends Omit<SpawnOptions, "stdin"> {
  /** Milliseconds until SIGKILL; 10 seconds unless told. */
  readonly timeout?: number;
  /** Text for stdin. */
  readonly input?: string;
  /** Throw RAMPART_E_SANDBOX_COMMAND unless the command exits with 0. */
  readonly check?: boolean;
}

export interface RunResult {
  /** The exit code; -1 when a signal ended the command. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Host {
  readonly name: string;
  readonly #entry: readonly string[];
  #agent: TrafficAgent | undefined;

  /** Made by `Sandbox.host`; `entry` is the command line that leads into this host. */
  constructor(name: string, entry: readonly string[]) {
    this.name = name;
    this.#entry = entry;
  }

  /** Start a process and come back at once. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): SandboxProcess {
    return new SandboxProcess(this.#entry, argv, options);
  }

  /** Run a command to its end. */
  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const { timeout = 10_000, input, check = false, ...spawnOptions } = options;
    const running = this.spawn(argv, { ...spawnOptions, stdin: input !== undefined });
    if (input !== undefined) {
      running.write(input);
      running.endInput();
    }
    let timedOut = false;
    const killer = setTimeout(() => {
      timedOut = true;
      void running.signal("SIGKILL");
    }, timeout);
    const exit = await running.exited;
    clearTimeout(killer);
    const result = { code: exit.code ?? -1, stdout: running.stdout, stderr: running.stderr };
    if (check && result.code !== 0) {
      const how = timedOut ? `did not end within ${timeout} ms` : `failed with ${exit.code ?? exit.signal}`;
      throw new RampartError("RAMPART_E_SANDBOX_COMMAND", `${argv.join(" ")} ${how} on ${this.name}`, {
        hint: (result.stderr || result.stdout).trim() || "it printed nothing",
      });
    }
    return result;
  }

  /** Set a kernel parameter of this host, named with dots: `net.ipv4.ip_forward`. */
  async sysctl(name: string, value: string | number): Promise<void> {
    const path = `/proc/sys/${name.replaceAll(".", "/")}`;
    await this.run(["sh", "-c", 'printf "%s\\n" "$1" > "$0"', path, String(value)], { check: true });
  }

  /** Let this host forward IPv4 and IPv6 between its links. */
  async enableForwarding(): Promise<void> {
    await this.sysctl("net.ipv4.ip_forward", 1);
    await this.sysctl("net.ipv6.conf.all.forwarding", 1);
  }

  /** `prefix` may be "default"; the family is told by the gateway. */
  async route(prefix: string, gateway: string): Promise<void> {
    const family = gateway.includes(":") ? "-6" : "-4";
    await this.run(["ip", family, "route", "add", prefix, "via", gateway], { check: true });
  }

  /** The process that makes and answers this host's traffic; started when first needed. */
  get agent(): TrafficAgent {
    if (this.#agent === undefined || !this.#agent.alive) this.#agent = TrafficAgent.start(this);
    return this.#agent;
  }
}
