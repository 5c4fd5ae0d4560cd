/**
 * A lab of hosts joined by virtual cables, in network namespaces of its own,
 * without root unless told: one holder process owns a user, mount, network and
 * process namespace. When the holder ends, so does every process and namespace inside;
 * it ends when told to, and also when the program that made it dies, because
 * it reads a pipe from that program. Nothing here touches the machine's own
 * network or firewall.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { RampartError } from "../errors/rampart-error.ts";
import { Host } from "./host.ts";
import { childrenOf, systemPath } from "./process.ts";

export interface SandboxOptions {
  /**
   * No user namespace: inside are the machine's users, so that a process can be another one than root. It takes a real
   * root with all capabilities.
   */
  readonly machineUsers?: boolean;
}

export interface LinkOptions {
  /** Addresses with prefix length of the first and the second end. */
  readonly addresses: readonly [readonly string[], readonly string[]];
  /** Interface names of the two ends; the next free eth<N> of each host unless told. */
  readonly interfaces?: readonly [string, string];
}

// A fresh /run gives iproute2 a place for its namespaces and iptables one for its lock. cat ends with the pipe.
const HOLDER_SCRIPT = "mount -t tmpfs tmpfs /run && mkdir -p /run/netns && echo ready && cat > /dev/null";

export class Sandbox {
  readonly #holder: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #initPid: number;
  readonly #machineUsers: boolean;
  readonly #hosts = new Map<string, Host>();
  readonly #linkCount = new Map<string, number>();

  private constructor(holder: ChildProcess, gone: Promise<void>, initPid: number, machineUsers: boolean) {
    this.#machineUsers = machineUsers;
    this.#holder = holder;
    this.#gone = gone;
    this.#initPid = initPid;
  }

  /** Throws RAMPART_E_SANDBOX when this machine does not let us make namespaces. */
  static async create({ machineUsers = false }: SandboxOptions = {}): Promise<Sandbox> {
    const argv = [machineUsers ? "-nmpf" : "-Urnmpf", "--kill-child", "--mount-proc", "sh", "-c", HOLDER_SCRIPT];
    const holder = spawn("unshare", argv, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, PATH: systemPath() },
    });
    let errors = "";
    holder.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    holder.stdin.on("error", () => undefined);
    const gone = new Promise<void>((resolve) => {
      holder.once("close", () => resolve());
      holder.once("error", (error) => {
        errors += error.message;
        resolve();
      });
    });
    await Promise.race([once(holder.stdout, "data"), gone]);
    const initPid = holder.pid === undefined ? undefined : childrenOf(holder.pid)[0];
    if (initPid === undefined) {
      throw new RampartError("RAMPART_E_SANDBOX", `cannot make a sandbox of namespaces: ${errors.trim()}`, {
        hint:
          "unprivileged user namespaces must be allowed (sysctl kernel.unprivileged_userns_clone=1, " +
          "kernel.apparmor_restrict_unprivileged_userns=0), or run as root; util-linux must be installed",
      });
    }
    return new Sandbox(holder, gone, initPid, machineUsers);
  }

  /** Add a host; its loopback is up, it has no links yet. */
  async host(name: string): Promise<Host> {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(name) || this.#hosts.has(name)) {
      throw new RampartError("RAMPART_E_SANDBOX", `a sandbox host cannot be called ${JSON.stringify(name)}`, {
        hint: "use a new name of lower-case letters, digits and dashes",
      });
    }
    await this.#inside(
      // Addresses are used at once: no duplicate address detection.
      `ip netns add ${name} && ip netns exec ${name} sh -c '
        ip link set lo up &&
        for i in all default; do echo 0 > /proc/sys/net/ipv6/conf/$i/accept_dad; done'`,
    );
    const host = new Host(name, [...this.#enter(), `--net=/proc/${this.#initPid}/root/run/netns/${name}`]);
    this.#hosts.set(name, host);
    return host;
  }

  /** Join two hosts by a veth pair, both ends up, addresses usable at once. */
  async link(first: Host, second: Host, options: LinkOptions): Promise<void> {
    const [firstName, secondName] = options.interfaces ?? [this.#nextInterface(first), this.#nextInterface(second)];
    await this.#inside(
      [
        `ip link add ${firstName} netns ${first.name} type veth peer name ${secondName} netns ${second.name}`,
        ...bringUp(first, firstName, options.addresses[0]),
        ...bringUp(second, secondName, options.addresses[1]),
        untilUp(first, firstName),
        untilUp(second, secondName),
      ].join(" && "),
    );
  }

  /** End every process and namespace of the sandbox. Idempotent. */
  async destroy(): Promise<void> {
    this.#holder.kill("SIGKILL");
    await this.#gone;
  }

  #enter(): string[] {
    const users = this.#machineUsers ? [] : ["--user", "--preserve-credentials"];
    return ["nsenter", `--target=${this.#initPid}`, ...users, "--mount", "--pid"];
  }

  async #inside(script: string): Promise<void> {
    const outer = new Host("sandbox", [...this.#enter(), "--net"]);
    await outer.run(["sh", "-c", script], { check: true });
  }

  #nextInterface(host: Host): string {
    const number = this.#linkCount.get(host.name) ?? 0;
    this.#linkCount.set(host.name, number + 1);
    return `eth${number}`;
  }
}

function bringUp(host: Host, name: string, addresses: readonly string[]): string[] {
  return [
    ...addresses.map((address) => {
      return `ip -n ${host.name} address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`;
    }),
    `ip -n ${host.name} link set ${name} up`,
  ];
}

// The kernel tells IPv6 of a carrier a moment after the other end came up; packets sent before would be lost.
function untilUp(host: Host, name: string): string {
  return `until ip -n ${host.name} -br link show dev ${name} | grep -q " UP "; do sleep 0.005; done`;
}
