/** Attacks on a router's way through, and what a router must go on telling those who send through it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import type { Host } from "../../src/sandbox/host.ts";
import { openTcp, startTransfer, tcpEchoServer, udpEchoServer } from "../../src/sandbox/probe.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { allowPort, hostEndpoint, policy } from "./support/documents.ts";
import { icmpListener, sendIcmp } from "./support/icmp.ts";
import { expectConnects, expectDropped } from "./support/lab.ts";

const NETWORKS = [
  { family: "IPv4", bits: 24, outside: "10.81.0.2", outer: "10.81.0.1", inner: "10.82.0.1", inside: "10.82.0.2" },
  { family: "IPv6", bits: 64, outside: "fd81::2", outer: "fd81::1", inner: "fd82::1", inside: "fd82::2" },
] as const;

const OUTER = hostEndpoint("router-outer", { node: "router", interfaceName: "eth0" });
const INGRESS_ONLY = { applyOnForward: true, types: ["Ingress"], ingress: [allowPort("TCP", 8080)] };

let sandbox: Sandbox;
let outside: Host;
let router: Host;
let inside: Host;
let rampart: RampartProcess | undefined;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  outside = await sandbox.host("outside");
  router = await sandbox.host("router");
  inside = await sandbox.host("inside");
  const prefixed = (side: "outside" | "outer" | "inner" | "inside"): string[] => {
    return NETWORKS.map((network) => `${network[side]}/${network.bits}`);
  };
  await sandbox.link(router, outside, { addresses: [prefixed("outer"), prefixed("outside")] });
  await sandbox.link(router, inside, { addresses: [prefixed("inner"), prefixed("inside")] });
  await router.enableForwarding();
  for (const network of NETWORKS) {
    await outside.route("default", network.outer);
    await inside.route("default", network.inner);
  }
  for (const host of [outside, inside]) {
    for (const port of [8080, 8081]) await tcpEchoServer(host, port);
    await udpEchoServer(host, 8081);
  }
});
afterAll(() => sandbox.destroy());
afterEach(async () => {
  await rampart?.uninstall();
  rampart = undefined;
});

async function start(...documents: readonly string[]): Promise<RampartProcess> {
  rampart = await startRampart(router, { policies: { "policy.yaml": [OUTER, ...documents].join("") } });
  return rampart;
}

/** A line longer than the narrow link's packets arrives, because the router tells the sender of them. */
async function expectFits(family: "IPv4" | "IPv6", to: string): Promise<void> {
  await router.run(["ip", "link", "set", "eth1", "mtu", "1300"], { check: true });
  try {
    const connection = await openTcp(outside, to, 8080);
    const line = "x".repeat(4000);
    expect((await connection.exchange(line, 3000)).line).toHaveLength(line.length);
    await connection.close();
  } finally {
    await router.run(["ip", "link", "set", "eth1", "mtu", "1500"]);
    for (const host of [outside, inside]) await host.run(["ip", family === "IPv4" ? "-4" : "-6", "route", "flush", "cache"]);
  }
}

async function expectTimeExceeded(to: string): Promise<void> {
  const { stdout } = await outside.run(["ping", "-n", "-c", "1", "-W", "1", "-t", "1", to], { env: { LC_ALL: "C" } });
  expect(stdout).toMatch(/Time to live exceeded|Hop limit/i);
}

describe("without a firewall the router tells its senders", () => {
  test.each(NETWORKS)("over $family", async ({ family, inside: to }) => {
    await expectFits(family, to);
    await expectTimeExceeded(to);
  });
});

describe.each(NETWORKS)("over $family", ({ family, inside: to, outside: from }) => {
  test("what policy neither allows nor denies is left to the machine's own rules, and costs one verdict", async () => {
    const iptables = family === "IPv4" ? "iptables" : "ip6tables";
    const own = ["FORWARD", "-p", "tcp", "--dport", "8081", "-j", "DROP"];
    await router.run([iptables, "-A", ...own], { check: true });
    try {
      const running = await start(policy("transit", INGRESS_ONLY));
      // Out through the endpoint: it has policies for the way in only.
      await expectDropped(inside, from, 8081);
      const connection = await openTcp(inside, from, 8080);
      for (let n = 0; n < 20; n++) expect(await connection.exchange(`line ${n}`)).toMatchObject({ line: `line ${n}` });
      await connection.close();
      await new Promise((resolve) => setTimeout(resolve, 400));
      expect(await running.metric("rampart_returned_packets_total")).toBe(0);
      expect(await running.metric("rampart_packets_total", { hook: "forward", verdict: "return" })).toBeLessThan(10);
    } finally {
      await router.run([iptables, "-D", ...own]);
    }
  });

  test.each([
    ["is not governed", []],
    ["is allowed by policy", [policy("transit", INGRESS_ONLY)]],
  ])("a sender is told when its packets are too big for the way through, where that %s", async (_how, documents) => {
    await start(...documents);
    await expectFits(family, to);
  });

  test("a sender is told when its packets have gone round for too long", async () => {
    await start();
    await expectTimeExceeded(to);
  });

  test("a transfer in transit outlives a change of policy that fails nobody", async () => {
    const running = await start(policy("transit", { ...INGRESS_ONLY, ingress: [allowPort("TCP", 8080, 9000)] }));
    const transfer = await startTransfer(inside, outside, to, 9000, { bytes: 1_000_000, chunk: 20_000, intervalMs: 10 });
    await running.changePolicy(() => {
      const wider = { ...INGRESS_ONLY, ingress: [allowPort("TCP", 8080, 9000, 9001)] };
      running.writePolicy("policy.yaml", OUTER + policy("transit", wider));
    });
    expect(await transfer.finished()).toMatchObject({ received: 1_000_000, sha256: transfer.sha256 });
    await transfer.close();
    await expectConnects(outside, to, 8080);
  });
});

describe("a router that denies transit", () => {
  test("carries no multicast listener message to a host behind it: they belong to one link", async () => {
    const { inside: to } = NETWORKS[1];
    await start(policy("transit", INGRESS_ONLY));
    const listener = await icmpListener(inside, "IPv6");
    for (const type of [130, 131, 132, 143, 200]) await sendIcmp(outside, to, type);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await listener.stop();
    expect(listener.stdout).not.toMatch(/from fd81::2/);
  });
});
