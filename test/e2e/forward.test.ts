/** A router under protection: what is meant for it and what only passes through are two matters. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import type { Host } from "../../src/sandbox/host.ts";
import { openTcp, tcpEchoServer, udpEchoServer } from "../../src/sandbox/probe.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { allowPort, hostEndpoint, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, expectPing, expectUdpAnswered, expectUdpDropped } from "./support/lab.ts";
import { noOffload } from "./support/offload.ts";

const NETWORKS = [
  { family: "IPv4", bits: 24, outside: "10.81.0.2", outer: "10.81.0.1", inner: "10.82.0.1", inside: "10.82.0.2" },
  { family: "IPv6", bits: 64, outside: "fd81::2", outer: "fd81::1", inner: "fd82::1", inside: "fd82::2" },
] as const;

const OUTER = hostEndpoint("router-outer", { node: "router", interfaceName: "eth0" });
const INNER = hostEndpoint("router-inner", { node: "router", interfaceName: "eth1" }).replace(
  '"role":"shield"',
  '"role":"inner"',
);
const PORTS = [22, 8080, 8081];

function prefixed(side: "outside" | "outer" | "inner" | "inside"): string[] {
  return NETWORKS.map((network) => `${network[side]}/${network.bits}`);
}

/** TCP to the ports may enter the way through, nothing else. */
function transit(...ports: readonly number[]): string {
  return policy("transit", { applyOnForward: true, types: ["Ingress"], ingress: [allowPort("TCP", ...ports)] });
}

let sandbox: Sandbox;
let outside: Host;
let router: Host;
let inside: Host;
let rampart: RampartProcess;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  outside = await sandbox.host("outside");
  router = await sandbox.host("router");
  inside = await sandbox.host("inside");
  await sandbox.link(router, outside, { addresses: [prefixed("outer"), prefixed("outside")] });
  await sandbox.link(router, inside, { addresses: [prefixed("inner"), prefixed("inside")] });
  await router.enableForwarding();
  for (const network of NETWORKS) {
    await outside.route("default", network.outer);
    await inside.route("default", network.inner);
  }
  for (const host of [outside, router, inside]) {
    for (const port of PORTS) await tcpEchoServer(host, port);
    await udpEchoServer(host, 8080);
    await udpEchoServer(host, 8081);
  }
});
afterAll(() => sandbox.destroy());
afterEach(async () => {
  await rampart.uninstall();
});

async function start(...documents: readonly string[]): Promise<void> {
  rampart = await startRampart(router, { policies: { "policy.yaml": [OUTER, INNER, ...documents].join("") } });
}

describe.each(NETWORKS)("over $family", (network) => {
  test("endpoints without an applyOnForward policy protect the router and leave transit alone", async () => {
    await start(policy("local", { types: ["Ingress"], ingress: [allowPort("TCP", 8080)] }));
    await expectConnects(outside, network.outer, 8080);
    await expectDropped(outside, network.outer, 8081);
    for (const [from, to] of [
      [outside, network.inside],
      [inside, network.outside],
    ] as const) {
      await expectConnects(from, to, 8081);
      await expectUdpAnswered(from, to, 8081);
      await expectPing(from, to, "answered");
    }
  });

  test("an applyOnForward ingress policy judges what comes in through its interface, and only that", async () => {
    const web = { applyOnForward: true, types: ["Ingress"], ingress: [allowPort("TCP", 8080), allowPort("UDP", 8080)] };
    await start(policy("transit", web));
    await expectConnects(outside, network.inside, 8080);
    await expectUdpAnswered(outside, network.inside, 8080);
    await expectDropped(outside, network.inside, 8081);
    await expectUdpDropped(outside, network.inside, 8081);
    await expectPing(outside, network.inside, "timeout");
    // Failsafe ports are for the router itself, not for those behind it.
    await expectDropped(outside, network.inside, 22);
    await expectConnects(outside, network.outer, 22);
    await expectConnects(inside, network.outside, 8081);
  });

  test("an applyOnForward egress policy judges what leaves through its interface, and only that", async () => {
    const web = { applyOnForward: true, types: ["Egress"], egress: [allowPort("TCP", 8080)] };
    await start(policy("transit", web));
    await expectConnects(inside, network.outside, 8080);
    await expectDropped(inside, network.outside, 8081);
    await expectConnects(outside, network.inside, 8081);
  });

  test("both ends of the way through must agree", async () => {
    const forInner = { selector: "role == 'inner'", applyOnForward: true, types: ["Egress"] };
    await start(
      policy("in", { applyOnForward: true, types: ["Ingress"], ingress: [allowPort("TCP", 8080, 8081)] }),
      policy("through", { ...forInner, egress: [allowPort("TCP", 8080)] }),
    );
    await expectConnects(outside, network.inside, 8080);
    await expectDropped(outside, network.inside, 8081);
  });

  test("a transit connection survives a policy change that allows it and ends with one that does not", async () => {
    await start(transit(8080));
    const connection = await openTcp(outside, network.inside, 8080);
    expect(await connection.exchange("one")).toMatchObject({ line: "one" });
    await rampart.changePolicy(() => rampart.writePolicy("policy.yaml", OUTER + INNER + transit(8080, 8081)));
    expect(await connection.exchange("two")).toMatchObject({ line: "two" });
    // Without offload, the daemon is what knows the connection.
    if (!noOffload) await rampart.kill();
    expect(await connection.exchange("three")).toMatchObject({ line: "three" });
    if (!noOffload) await rampart.start();
    await rampart.changePolicy(() => rampart.writePolicy("policy.yaml", OUTER + INNER + transit(8081)));
    expect(await connection.exchange("four", 500)).toMatchObject({ outcome: "timeout" });
    await connection.close();
  });
});
