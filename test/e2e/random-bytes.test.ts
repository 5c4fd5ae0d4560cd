/**
 * A million packets of every shape on the wire of a closed host. Accepted is
 * what the kernel delivered, by its own counters, so that the daemon is not
 * asked whether it did right.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp } from "../../src/sandbox/probe.ts";
import type { Conversation } from "../../src/sandbox/probe.ts";
import { ETH0, felixConfiguration, policy } from "./support/documents.ts";
import { expectConnects, FAMILIES, Lab } from "./support/lab.ts";

const SOURCE = fileURLToPath(new URL("../fixtures/packet-storm.c", import.meta.url));
const PACKETS = 1_000_000;
const PACKETS_PER_SECOND = 60_000;
const MINUTE = 60_000;

const [IPV4, IPV6] = FAMILIES as [(typeof FAMILIES)[0], (typeof FAMILIES)[0]];
/** TCP from the client, which the storm never claims to be, and nothing else. */
function clientOnly(port: number): string {
  return policy(`client-${port}`, {
    types: ["Ingress", "Egress"],
    ingress: FAMILIES.map(({ clientNet }) => ({
      action: "Allow",
      protocol: "TCP",
      source: { nets: [clientNet] },
      destination: { ports: [port] },
    })),
  });
}
const NO_FAILSAFES = felixConfiguration({ failsafeInboundHostPorts: [], failsafeOutboundHostPorts: [] });
/** ICMPv6 that keeps the link alive and is let through in the kernel: MLD and neighbour discovery. */
const LINK_TYPES = [130, 131, 132, 133, 134, 135, 136, 143];

let lab: Lab;
let rampart: RampartProcess;
let directory: string;
let program: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "rampart-storm-"));
  program = join(directory, "packet-storm");
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-o", program, SOURCE]);
  lab = await Lab.create();
  rampart = await startRampart(lab.shield, { policies: { "closed.yaml": ETH0 + clientOnly(8080) + NO_FAILSAFES } });
});
afterAll(async () => {
  await rampart?.uninstall();
  await lab?.destroy();
  rmSync(directory, { recursive: true, force: true });
});

/**
 * Counts, behind the filter table, what the kernel hands on of what came over the wire, but for what keeps the link
 * alive and the one port that is allowed.
 */
async function countDelivered(): Promise<void> {
  for (const command of ["iptables-nft", "ip6tables-nft"]) {
    const behindFilter = [command, "-t", "security", "-A", "INPUT", "-i", "eth0"];
    const known = command === "iptables-nft" ? [] : LINK_TYPES.map((type) => ["-p", "ipv6-icmp", "--icmpv6-type", String(type)]);
    for (const match of [...known, ["-p", "tcp", "--dport", "8080"]]) {
      await lab.shield.run([...behindFilter, ...match, "-j", "ACCEPT"], { check: true });
    }
    await lab.shield.run([...behindFilter, "-m", "comment", "--comment", "delivered"], { check: true });
  }
}

async function delivered(command: "iptables-nft" | "ip6tables-nft"): Promise<number> {
  const saved = await lab.shield.run([`${command}-save`, "-c", "-t", "security"], { check: true });
  return Number(/\[(\d+):\d+\] .*delivered/.exec(saved.stdout)?.[1]);
}

/** Resolves when all packets were sent, within a minute. */
async function storm(seed: number, packets: number, perSecond: number): Promise<void> {
  // Not from /sys, which shows the machine's own interfaces.
  const link = await lab.shield.run(["ip", "-br", "link", "show", "eth0"], { check: true });
  const mac = /[0-9a-f:]{17}/.exec(link.stdout)?.[0];
  const numbers = [seed, packets, perSecond].map(String);
  const argv = [program, "eth0", String(mac), IPV4.shield, IPV6.shield, ...numbers];
  await lab.client.run(argv, { check: true, timeout: MINUTE });
}

describe("a million random and mutated packets", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const connections: Conversation[] = [];
  let accepts: number;
  let passed: { readonly ipv4: number; readonly ipv6: number };

  beforeAll(async () => {
    for (const { shield } of FAMILIES) connections.push(await openTcp(lab.client, shield, 8080));
    accepts = await rampart.metric("rampart_packets_total", { verdict: "accept" });
    await countDelivered();
    await storm(seed, PACKETS, PACKETS_PER_SECOND);
    // The counters of the worker are written four times a second.
    await new Promise((resolve) => setTimeout(resolve, 600));
    passed = { ipv4: await delivered("iptables-nft"), ipv6: await delivered("ip6tables-nft") };
  }, 2 * MINUTE);

  test("reached the queue in good part", async () => {
    const judged = await rampart.metric("rampart_packets_total", { hook: "input" });
    expect(judged, `seed ${seed}`).toBeGreaterThan(PACKETS / 4);
    const families = await Promise.all([4, 6].map((family) => rampart.metric("rampart_kernel_rule_packets_total", {
      family: `ipv${family}`,
      rule: "input/queued",
    })));
    for (const queued of families) expect(queued, `seed ${seed}`).toBeGreaterThan(PACKETS / 10);
    expect(await rampart.metric("rampart_parse_failures_total"), `seed ${seed}`).toBeGreaterThan(1000);
  });

  test("were none of them delivered", () => {
    expect(passed.ipv6, `IPv6, seed ${seed}`).toBe(0);
    expect(passed.ipv4, `IPv4, seed ${seed}`).toBe(0);
  });

  test("got an answer each, and none of them a yes", async () => {
    expect(await rampart.metric("rampart_packets_total", { verdict: "accept" }), `seed ${seed}`).toBe(accepts);
    for (const verdict of ["return", "reject"]) {
      expect(await rampart.metric("rampart_packets_total", { verdict })).toBe(0);
    }
    expect(await rampart.metric("rampart_packets_total", { reason: "internal-error" })).toBe(0);
    expect(await rampart.metric("rampart_queue_unanswered_total")).toBe(0);
    expect(await rampart.metric("rampart_queue_verdict_errors_total")).toBe(0);
    expect(await rampart.metric("rampart_queue_malformed_total")).toBe(0);
    expect(await rampart.metric("rampart_queue_truncated_total")).toBe(0);
    expect(await rampart.metric("rampart_queue_pending_packets")).toBe(0);
    expect(await rampart.metric("rampart_returned_packets_total")).toBe(0);
  });

  test("left the daemon as it was: same process, nothing above a warning in its log", async () => {
    expect(rampart.running).toBe(true);
    expect(await rampart.status()).toMatchObject({ state: "enforcing" });
    expect(rampart.logs().filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
    expect(await rampart.metric("rampart_flows")).toBeLessThanOrEqual(await rampart.metric("rampart_flows_capacity"));
  });

  test("disturbed neither who was connected nor who comes now", async () => {
    for (const connection of connections) {
      expect(await connection.exchange("still here", 4000)).toMatchObject({ line: "still here" });
      await connection.close();
    }
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8080);
  });
});

describe("packets faster than they can be judged", () => {
  test("delay neither a change of policy nor a connection that is open", async () => {
    const connection = await openTcp(lab.client, IPV4.shield, 8080);
    const pouring = storm(1, 500_000, 10_000_000);
    const generation = await rampart.generation();
    rampart.writePolicy("more.yaml", clientOnly(8081));
    await rampart.generationAfter(generation, 10_000);
    expect(await connection.exchange("in the storm", 4000)).toMatchObject({ line: "in the storm" });
    await pouring;
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8081);
    expect(await rampart.metric("rampart_queue_unanswered_total")).toBe(0);
    await connection.close();
  });
});
