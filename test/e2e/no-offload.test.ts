/**
 * `datapath.offload: none`: what is particular to it. That it comes to the same
 * verdicts is shown by running the other scenarios in this mode as well.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import type { Host } from "../../src/sandbox/host.ts";
import { openTcp, openUdp, tcpEchoServer, udpEcho, udpEchoServer } from "../../src/sandbox/probe.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { allowPorts, allowPort, ETH0, hostEndpoint, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, expectUdpDropped, FAMILIES, Lab } from "./support/lab.ts";

const NONE = { datapath: { offload: "none" } };
const SILENCE_MS = 400;
const LARGE = "x".repeat(6000);

let rampart: RampartProcess;

/** Connections the host's kernel tracks. */
async function tracked(host: Host): Promise<number> {
  const { stdout } = await host.run(["cat", "/proc/sys/net/netfilter/nf_conntrack_count"], { check: true });
  return Number(stdout);
}

describe("a host", () => {
  const WEB = allowPorts("web", "ingress", 8080);
  const BACKEND = allowPorts("backend", "egress", 8081);
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.create();
  });
  afterAll(() => lab.destroy());
  beforeEach(async () => {
    const policies = { "endpoint.yaml": ETH0, "web.yaml": WEB, "backend.yaml": BACKEND };
    rampart = await startRampart(lab.shield, { policies, settings: NONE });
  });
  afterEach(() => rampart.uninstall());

  test.each(FAMILIES)("is protected while its kernel tracks no connection, over $family", async ({ shield, client }) => {
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.shield, client, 8081);
    await expectUdpAnswered(lab.client, shield, 8080);
    expect(await tracked(lab.shield)).toBe(0);
  });

  test.each(FAMILIES)("receives a datagram in fragments, where one is allowed, over $family", async ({ shield }) => {
    for (const [port, outcome] of [
      [8080, "line"],
      [8081, "timeout"],
    ] as const) {
      const conversation = await openUdp(lab.client, shield, port);
      expect(await conversation.exchange(LARGE, 1000), `port ${port}`).toMatchObject({ outcome });
      await conversation.close();
    }
    expect(await tracked(lab.shield)).toBe(0);
  });

  test.each(FAMILIES)("keeps its failsafe ports with the daemon dead, and nothing else, over $family", async ({ shield, client }) => {
    await rampart.kill();
    await expectConnects(lab.client, shield, 22);
    await expectConnects(lab.shield, client, 179);
    await expectDropped(lab.client, shield, 8080);
    await expectUdpDropped(lab.client, shield, 8080);
    await expectDropped(lab.shield, client, 8081);
    // An answer needs a question, of the same port's service at that address.
    const forged = await openUdp(lab.client, shield, 8080, { sourcePort: 67 });
    expect(await forged.exchange("unasked", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await expectUdpAnswered(lab.shield, client, 53);
    await forged.close();
  });

  test.each(FAMILIES)("lets a failsafe service answer whom it was asked by, and only there, over $family", async ({ shield, client }) => {
    await expectUdpAnswered(lab.shield, client, 53);
    const asked = await openUdp(lab.shield, client, 67, { sourcePort: 40_067 });
    await asked.exchange("question", 50);
    const forged = await openUdp(lab.client, shield, 8081, { sourcePort: 67 });
    expect(await forged.exchange("to another port", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await forged.close();
    await asked.close();
  });

  test.each(FAMILIES)("picks connections up after a restart, whichever side speaks first, over $family", async ({ shield, client }) => {
    const inbound = await openTcp(lab.client, shield, 8080);
    const outbound = await openTcp(lab.shield, client, 8081);
    const listening = await openTcp(lab.client, shield, 8080);
    for (const each of [inbound, outbound, listening]) await each.exchange("before");
    await rampart.kill();
    expect(await inbound.exchange("dead", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    await rampart.start();
    expect(await inbound.listen(5000)).toMatchObject({ line: "dead" });
    expect(await outbound.exchange("after", 5000)).toMatchObject({ line: "after" });
    await lab.server(lab.shield, 8080).speak("server first");
    expect(await listening.listen(5000)).toMatchObject({ line: "server first" });

    // What the new daemon has not seen before the first change is nobody's.
    const late = await openTcp(lab.client, shield, 8080);
    await rampart.kill();
    await rampart.start();
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", allowPorts("more", "ingress", 9000)));
    expect(await late.exchange("too late", SILENCE_MS)).toMatchObject({ outcome: "timeout" });
    expect(await rampart.metric("rampart_packets_total", { reason: "invalid" })).toBeGreaterThan(0);
    for (const each of [inbound, outbound, listening, late]) await each.close();
  });

  test("counts its connections by stage", async () => {
    const { shield } = FAMILIES[0]!;
    const connection = await openTcp(lab.client, shield, 8080);
    await connection.exchange("hello");
    await expectDropped(lab.client, shield, 8081);
    for (const stage of ["established", "denied"]) {
      await expect
        .poll(() => rampart.metric("rampart_connections", { stage }), { timeout: 3000 })
        .toBeGreaterThanOrEqual(1);
    }
    await connection.close();
  });
});

describe("several workers", () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = await Lab.create();
    const policies = { "policy.yaml": ETH0 + allowPorts("in", "ingress", 8080, 9999) + allowPorts("out", "egress", 8081, 9999) };
    rampart = await startRampart(lab.shield, { policies, settings: { datapath: { offload: "none", workers: 4 } } });
  });
  afterAll(async () => {
    await rampart.uninstall();
    await lab.destroy();
  });

  test.each(FAMILIES)("come to the same verdicts, over $family", async ({ shield, client, other }) => {
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.shield, client, 8081);
    await expectConnects(lab.shield, other, 8081);
    await expectUdpAnswered(lab.client, shield, 8080);
    await expectUdpDropped(lab.client, shield, 8081);
  });

  test.each(FAMILIES)("let an ICMP error pass that meets another worker than its flow, over $family", async ({ shield, client, other }) => {
    // Queues are chosen by addresses and protocol, so of these some come elsewhere than what they are about.
    for (const address of [client, other]) {
      expect(await udpEcho(lab.shield, address, 9999, { timeoutMs: 3000 })).toBe("refused");
    }
    expect(await udpEcho(lab.client, shield, 9999, { timeoutMs: 3000 })).toBe("refused");
  });
});

describe("a router", () => {
  const NETWORKS = [
    { family: "IPv4", bits: 24, outside: "10.81.0.2", outer: "10.81.0.1", inner: "10.82.0.1", inside: "10.82.0.2", virtual: "192.0.2.1" },
    { family: "IPv6", bits: 64, outside: "fd81::2", outer: "fd81::1", inner: "fd82::1", inside: "fd82::2", virtual: "2001:db8::1" },
  ] as const;
  const OUTER = hostEndpoint("outer", { node: "router", interfaceName: "eth0" });
  const INNER = hostEndpoint("inner", { node: "router", interfaceName: "eth1" });
  const WEB = { types: ["Ingress", "Egress"], ingress: [allowPort("TCP", 8080), allowPort("UDP", 8080)], egress: [allowPort("TCP", 8080), allowPort("UDP", 8080)] };
  let sandbox: Sandbox;
  let outside: Host;
  let router: Host;
  let inside: Host;

  beforeEach(async () => {
    sandbox = await Sandbox.create();
    outside = await sandbox.host("outside");
    router = await sandbox.host("router");
    inside = await sandbox.host("inside");
    const side = (name: "outside" | "outer" | "inner" | "inside"): string[] =>
      NETWORKS.map((network) => `${network[name]}/${network.bits}`);
    await sandbox.link(router, outside, { addresses: [side("outer"), side("outside")] });
    await sandbox.link(router, inside, { addresses: [side("inner"), side("inside")] });
    await router.enableForwarding();
    for (const network of NETWORKS) {
      await outside.route("default", network.outer);
      await inside.route("default", network.inner);
      await router.route("default", network.outside);
    }
    for (const host of [outside, inside]) {
      for (const port of [8080, 8081]) {
        await tcpEchoServer(host, port);
        await udpEchoServer(host, port);
      }
    }
    const text = OUTER + INNER + policy("web", { ...WEB, applyOnForward: true });
    rampart = await startRampart(router, { policies: { "policy.yaml": text }, settings: NONE });
  });
  afterEach(async () => {
    await rampart?.stop();
    await sandbox.destroy();
  });

  /** Adds a rule to the router's nat table. */
  async function nat(family: string, rule: string): Promise<void> {
    const command = family === "IPv4" ? "iptables" : "ip6tables";
    await router.run([command, "-t", "nat", ...rule.split(" ")], { check: true });
  }

  test("forwards a datagram in fragments, where one is allowed, and tracks no connection", async () => {
    for (const network of NETWORKS) {
      for (const [port, outcome] of [
        [8080, "line"],
        [8081, "timeout"],
      ] as const) {
        const conversation = await openUdp(outside, network.inside, port);
        expect(await conversation.exchange(LARGE, 1000), `port ${port}`).toMatchObject({ outcome });
        await conversation.close();
      }
    }
    expect(await tracked(router)).toBe(0);
  });

  test.each(NETWORKS)("judges what it translates by the far ends, in both directions, over $family", async (network) => {
    const { family } = network;
    const to = (port: number): string => (family === "IPv4" ? `${network.inside}:${port}` : `[${network.inside}]:${port}`);
    await nat(family, `-A PREROUTING -i eth0 -p tcp --dport 9090 -j DNAT --to-destination ${to(8080)}`);
    await nat(family, `-A PREROUTING -i eth0 -p tcp --dport 9091 -j DNAT --to-destination ${to(8081)}`);
    await nat(family, "-A POSTROUTING -o eth0 -j MASQUERADE");
    await expectConnects(outside, network.outer, 9090);
    await expectDropped(outside, network.outer, 9091);
    await expectConnects(inside, network.outside, 8080);
    await expectUdpAnswered(inside, network.outside, 8080);
    await expectDropped(inside, network.outside, 8081);
  });

  test.each(NETWORKS)("follows DNAT of its own packets when that begins, over $family", async (network) => {
    const { family } = network;
    const to = (port: number): string => (family === "IPv4" ? `${network.inside}:${port}` : `[${network.inside}]:${port}`);
    for (const [port, target] of [
      [7080, 8080],
      [7081, 8081],
    ] as const) {
      await nat(family, `-A OUTPUT -p tcp -d ${network.virtual} --dport ${port} -j DNAT --to-destination ${to(target)}`);
    }
    await rampart.waitForLog("DNAT", (line) => String(line.msg).includes("DNAT"), 10_000);
    await expectConnects(router, network.virtual, 7080);
    await expectDropped(router, network.virtual, 7081);
    await expectConnects(router, network.inside, 8080);
    await expectDropped(router, network.inside, 8081);
  });
});
