/** Every denied packet can be named: who decided, why, and which five-tuple. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { LogLine, RampartProcess } from "../../src/sandbox/daemon.ts";
import { tcpConnect, udpEcho } from "../../src/sandbox/probe.ts";
import { allowPort, ETH0, policy } from "./support/documents.ts";
import { expectPing, FAMILIES, Lab } from "./support/lab.ts";

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
  rampart = await startRampart(lab.shield, {
    policies: {
      "policy.yaml":
        ETH0 +
        policy("web", {
          order: 10,
          types: ["Ingress"],
          ingress: [allowPort("TCP", 8080), { action: "Deny", protocol: "TCP", destination: { ports: [8081] } }],
        }),
    },
    settings: { log: { deniedPerSecond: 1000 } },
  });
});
afterAll(async () => {
  await rampart.stop();
  await lab.destroy();
});

function denied(what: string, accepts: (line: LogLine) => boolean): Promise<LogLine> {
  return rampart.waitForLog(what, (line) => line.msg === "denied" && accepts(line));
}

describe.each(FAMILIES)("over $family", ({ family, shield, client }) => {
  const sourcePort = family === "IPv4" ? 41_004 : 41_006;

  test("by a rule: tier, policy, rule and the five-tuple", async () => {
    const before = await rampart.metrics();
    expect(await tcpConnect(lab.client, shield, 8081, { sourcePort, timeoutMs: 300 })).toBe("timeout");
    const line = await denied("the attempt", (each) => each["sourcePort"] === sourcePort);
    expect(line).toMatchObject({
      hook: "input",
      direction: "ingress",
      interface: "eth0",
      endpoint: "shield-eth0",
      tier: "default",
      policy: "web",
      rule: "ingress[1]",
      reason: "policy",
      family: family === "IPv4" ? 4 : 6,
      protocol: "tcp",
      source: client,
      destination: shield,
      sourcePort,
      destinationPort: 8081,
    });
    expect(await rampart.metrics()).not.toBe(before);
  });

  test("by the end of the tier", async () => {
    expect(await udpEcho(lab.client, shield, 8080, { sourcePort, timeoutMs: 300 })).toBe("timeout");
    const line = await denied("the datagram", (each) => {
      return each["protocol"] === "udp" && each["sourcePort"] === sourcePort;
    });
    expect(line).toMatchObject({
      endpoint: "shield-eth0",
      tier: "default",
      reason: "end-of-tier",
      source: client,
      destination: shield,
      destinationPort: 8080,
    });
  });

  test("because no policy is there for the direction", async () => {
    expect(await tcpConnect(lab.shield, client, 8080, { sourcePort, timeoutMs: 300 })).toBe("timeout");
    const line = await denied("the attempt", (each) => each["hook"] === "output" && each["sourcePort"] === sourcePort);
    expect(line).toMatchObject({
      direction: "egress",
      interface: "eth0",
      reason: "no-policy",
      source: shield,
      destination: client,
    });
  });

  test("a ping, which has no ports", async () => {
    await expectPing(lab.client, shield, "timeout");
    const protocol = family === "IPv4" ? "icmp" : "icmpv6";
    const line = await denied("the ping", (each) => each["protocol"] === protocol && each["hook"] === "input");
    expect(line).toMatchObject({ reason: "end-of-tier", source: client, destination: shield });
  });

  test("the metrics count verdicts by hook, direction, policy and reason", async () => {
    const labels = { direction: "ingress", policy: "web" };
    const before = await rampart.metric("rampart_policy_packets_total", { ...labels, action: "deny" });
    const dropped = await rampart.metric("rampart_packets_total", { hook: "input", verdict: "drop" });
    await tcpConnect(lab.client, shield, 8081, { timeoutMs: 300 });
    await expect
      .poll(() => rampart.metric("rampart_policy_packets_total", { ...labels, action: "deny" }))
      .toBeGreaterThan(before);
    expect(await rampart.metric("rampart_packets_total", { hook: "input", verdict: "drop" })).toBeGreaterThan(dropped);
  });
});
