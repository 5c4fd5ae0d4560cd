/**
 * The lab of the overload tests: an attacker and a client on links of their
 * own to one protected host, and a generator that sends UDP as fast as a core
 * can. What the host's kernel delivered of the flood is counted behind the
 * filter table, so that the daemon is not asked whether it did right.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { RampartProcess } from "../../../src/sandbox/daemon.ts";
import type { Host } from "../../../src/sandbox/host.ts";
import { openTcp, tcpConnect, tcpEchoServer } from "../../../src/sandbox/probe.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";
import { Sandbox } from "../../../src/sandbox/sandbox.ts";
import { allowPorts, ETH0, hostEndpoint, policy } from "./documents.ts";

const SOURCE = fileURLToPath(new URL("../../../bench/peers/udp_flood.c", import.meta.url));

/** The client's way to the host, and the port that is open to it, TCP and UDP; 22 is a failsafe port. */
export const ADDRESS = "10.78.1.1";
export const OPEN_PORT = 8080;
/** The address that is flooded, and ports of the flood: nobody's, and one that only others may send to. */
const ATTACKED = "10.78.0.1";
export const CLOSED_PORT = 9;
const OTHERS_PORT = 53_000;
const ATTACKERS = ["10.78.0.0/24", "198.18.0.0/15"];

/** Where the daemon's queues are: its one worker's, and the second lane. */
const FIRST_QUEUE = "100";
export const SECOND_LANE = "101";
/** Without canaries, so that all the kernel counts is the test's. */
export const ONE_WORKER = {
  datapath: { workers: 1, offload: "connmark" },
  queue: { backend: "native" },
  watchdog: { canary: false },
};

export const POLICIES = {
  "endpoints.yaml": ETH0 + hostEndpoint("shield-eth1", { interfaceName: "eth1" }),
  "open.yaml": allowPorts("open", "ingress", OPEN_PORT),
  "others.yaml": policy("others", {
    order: 50,
    types: ["Ingress"],
    ingress: [
      { action: "Deny", protocol: "UDP", source: { nets: ATTACKERS }, destination: { ports: [OTHERS_PORT] } },
      { action: "Allow", protocol: "UDP", destination: { ports: [OTHERS_PORT] } },
    ],
  }),
};

export interface Flood {
  /** 0: another port for each packet. */
  readonly port: number;
  readonly seconds: number;
  /** Each packet from another made-up address. */
  readonly spoofed?: boolean;
}

export class FloodLab {
  readonly attacker: Host;
  readonly client: Host;
  readonly shield: Host;
  readonly #sandbox: Sandbox;
  readonly #directory: string;

  private constructor(sandbox: Sandbox, [attacker, client, shield]: [Host, Host, Host], directory: string) {
    this.#sandbox = sandbox;
    this.attacker = attacker;
    this.client = client;
    this.shield = shield;
    this.#directory = directory;
  }

  static async create(): Promise<FloodLab> {
    const directory = mkdtempSync(join(tmpdir(), "rampart-flood-"));
    execFileSync("cc", ["-O2", "-std=gnu11", "-D_GNU_SOURCE", "-o", join(directory, "udp_flood"), SOURCE]);
    const sandbox = await Sandbox.create();
    const attacker = await sandbox.host("attacker");
    const client = await sandbox.host("client");
    const shield = await sandbox.host("shield");
    await sandbox.link(shield, attacker, { addresses: [["10.78.0.1/24"], ["10.78.0.2/24"]] });
    await sandbox.link(shield, client, { addresses: [["10.78.1.1/24"], ["10.78.1.2/24"]] });
    for (const link of ["all", "eth0"]) await shield.sysctl(`net.ipv4.conf.${link}.rp_filter`, 0);
    for (const port of [22, OPEN_PORT]) await tcpEchoServer(shield, port);
    const behindFilter = ["iptables-nft", "-t", "security", "-A", "INPUT", "-i", "eth0", "-p", "udp"];
    // A flood to all ports has packets to the open one and to the failsafe one, DHCP's.
    for (const port of [OPEN_PORT, 68]) await shield.run([...behindFilter, "--dport", `${port}`, "-j", "ACCEPT"], { check: true });
    await shield.run([...behindFilter, "-m", "comment", "--comment", "delivered"], { check: true });
    return new FloodLab(sandbox, [attacker, client, shield], directory);
  }

  async destroy(): Promise<void> {
    await this.#sandbox.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Begins to send; `exited` of what comes back settles when it is over. */
  flood({ port, seconds, spoofed = false }: Flood): SandboxProcess {
    const args = [ATTACKED, port, seconds, 3000, ...(spoofed ? ["spoofed"] : [])];
    return this.attacker.spawn([join(this.#directory, "udp_flood"), ...args.map(String)]);
  }

  /** UDP packets from the attacker's link that the host's kernel has delivered and should not have. */
  async delivered(): Promise<number> {
    const saved = await this.shield.run(["iptables-nft-save", "-c", "-t", "security"], { check: true });
    return Number(/\[(\d+):\d+\] .*delivered/.exec(saved.stdout)?.[1]);
  }
}

/** Packets the flood has sent; the test fails when there are none. */
export async function sentBy(flood: SandboxProcess): Promise<number> {
  await flood.exited;
  const sent = Number(/sent=(\d+)/.exec(flood.stdout)?.[1] ?? 0);
  expect(sent, `${flood.argv.join(" ")}: ${flood.stderr}`).toBeGreaterThan(0);
  return sent;
}

/** Floods whose packets are all denied, and the rule that sends them to the second lane. */
export function deniedFloods(seconds: number): [what: string, rule: string, flood: Flood][] {
  return [
    ["one source", "closed-port", { port: CLOSED_PORT, seconds }],
    ["one source, to a port that others may send to", "heavy-source", { port: OTHERS_PORT, seconds }],
    ["many made-up sources, to all ports", "closed-port", { port: 0, seconds, spoofed: true }],
    ["many made-up sources, to a port that others may send to", "heavy-destination", { port: OTHERS_PORT, seconds, spoofed: true }],
  ];
}

/** Low enough for a generator that has a busy core to be above them. */
export const LOW_LIMITS = { sourcePerSecond: 500, destinationPerSecond: 1000 };

/**
 * While the flood goes on, `connections` new ones of the client come about and an open one goes on; all that is lost is
 * lost by the second lane, everything is accounted for, and nothing of the flood is delivered.
 */
export async function expectWithstands(
  { lab, daemon }: { readonly lab: FloodLab; readonly daemon: RampartProcess },
  flood: Flood,
  rule: string,
  connections: number,
): Promise<void> {
  const counts = async () => ({
    delivered: await lab.delivered(),
    judgedThere: await daemon.metric("rampart_queue_packets_total", { queue: SECOND_LANE }),
    sentThere: await daemon.metric("rampart_kernel_rule_packets_total", { rule: `input/${rule}` }),
  });
  const open = await openTcp(lab.client, ADDRESS, OPEN_PORT);
  const before = await counts();
  const running = lab.flood(flood);
  await expectAllConnect(lab, connections, running);
  expect(await open.exchange("during")).toMatchObject({ line: "during" });
  await sentBy(running);
  await expectAllAccountedFor(daemon);
  const after = await counts();
  expect(after.delivered).toBe(before.delivered);
  expect(after.judgedThere).toBeGreaterThan(before.judgedThere);
  expect(after.sentThere).toBeGreaterThan(before.sentThere);
  expect(await lostToQueues(daemon, { queue: FIRST_QUEUE })).toBe(0);
  await open.close();
}

/** Every one of `count` new connections of the client must come about while the flood goes on. */
export async function expectAllConnect(lab: FloodLab, count: number, flood: SandboxProcess): Promise<void> {
  for (let n = 0; n < count; n++) {
    const outcome = await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 8000 });
    expect(outcome, `connection ${n + 1}, the flood ${flood.running ? "going on" : "over"}`).toBe("connected");
  }
}

/** Waits until the queues are empty, then: what the rules have queued is what was judged and what was lost. */
export async function expectAllAccountedFor(rampart: RampartProcess): Promise<void> {
  await expect.poll(() => rampart.metric("rampart_queue_pending_packets"), { timeout: 10_000 }).toBe(0);
  // The readers publish what they have read four times a second.
  await expect
    .poll(async () => {
      const [unread, lost] = [await rampart.metric("rampart_unread_packets"), await lostToQueues(rampart)];
      return unread - lost;
    }, { timeout: 10_000 })
    .toBe(0);
  const judged = await rampart.metric("rampart_packets_total");
  expect(await rampart.metric("rampart_queue_packets_total")).toBe(judged);
}

/** What full queues have lost, by the kernel's own count. */
export function lostToQueues(rampart: RampartProcess, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  return rampart.metric("rampart_queue_kernel_dropped_total", labels);
}
