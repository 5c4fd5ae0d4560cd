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
const CLIENT_ONLY = policy("client-only", {
  types: ["Ingress", "Egress"],
  ingress: FAMILIES.map(({ clientNet }) => ({
    action: "Allow",
    protocol: "TCP",
    source: { nets: [clientNet] },
    destination: { ports: [8080] },
  })),
});
const NO_FAILSAFES = felixConfiguration({ failsafeInboundHostPorts: [], failsafeOutboundHostPorts: [] });
/** ICMPv6 that keeps the link alive and is let through in the kernel: MLD and neighbour discovery. */
const LINK_TYPES = new Set([130, 131, 132, 133, 134, 135, 136, 143]);

let lab: Lab;
let rampart: RampartProcess;
let directory: string;
let program: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "rampart-storm-"));
  program = join(directory, "packet-storm");
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-o", program, SOURCE]);
  lab = await Lab.create();
  rampart = await startRampart(lab.shield, { policies: { "closed.yaml": ETH0 + CLIENT_ONLY + NO_FAILSAFES } });
});
afterAll(async () => {
  await rampart?.uninstall();
  await lab?.destroy();
  rmSync(directory, { recursive: true, force: true });
});

/** What the shield's kernel handed to its upper layers. Loopback is in the IPv4 numbers, so ask for nothing over it. */
async function delivered(): Promise<{ ipv4: number; ipv6: number; ipv6Link: number }> {
  const read = async (path: string): Promise<string> => {
    return (await lab.shield.run(["cat", path], { check: true })).stdout;
  };
  const [names, values] = (await read("/proc/net/snmp")).split("\n").filter((line) => line.startsWith("Ip:"));
  const column = names!.split(" ").indexOf("InDelivers");
  const ipv6 = new Map(
    (await read("/proc/net/dev_snmp6/eth0")).split("\n").map((line) => line.split(/\s+/) as [string, string]),
  );
  let ipv6Link = 0;
  for (const [name, count] of ipv6) {
    const type = /^Icmp6InType(\d+)$/.exec(name)?.[1];
    if (type !== undefined && LINK_TYPES.has(Number(type))) ipv6Link += Number(count);
  }
  return {
    ipv4: Number(values!.split(" ")[column]),
    ipv6: Number(ipv6.get("Ip6InDelivers") ?? 0),
    ipv6Link,
  };
}

describe("a million random and mutated packets", () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const connections: Conversation[] = [];
  let accepts: number;
  let passed: { readonly ipv4: number; readonly ipv6: number };

  beforeAll(async () => {
    for (const { shield } of FAMILIES) connections.push(await openTcp(lab.client, shield, 8080));
    accepts = await rampart.metric("rampart_packets_total", { verdict: "accept" });
    const before = await delivered();
    const address = await lab.shield.run(["cat", "/sys/class/net/eth0/address"], { check: true });
    const storm = [address.stdout.trim(), IPV4.shield, IPV6.shield, seed, PACKETS, PACKETS_PER_SECOND].map(String);
    await lab.client.run([program, "eth0", ...storm], { check: true, timeout: MINUTE });
    // The counters of the worker are written four times a second.
    await new Promise((resolve) => setTimeout(resolve, 600));
    const after = await delivered();
    passed = {
      ipv4: after.ipv4 - before.ipv4,
      ipv6: after.ipv6 - before.ipv6 - (after.ipv6Link - before.ipv6Link),
    };
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
    expect(passed, `seed ${seed}`).toEqual({ ipv4: 0, ipv6: 0 });
  });

  test("got an answer each, and none of them a yes", async () => {
    expect(await rampart.metric("rampart_packets_total", { verdict: "accept" }), `seed ${seed}`).toBe(accepts);
    for (const verdict of ["return", "reject"]) {
      expect(await rampart.metric("rampart_packets_total", { verdict }), verdict).toBe(0);
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
