/** Rules on real packets: what one client may and may not do, side by side in one run. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { udpEcho } from "../../src/sandbox/probe.ts";
import { allowPort, allowPorts, ETH0, policy } from "./support/documents.ts";
import { icmpListener, sendIcmp } from "./support/icmp.ts";
import {
  expectConnects,
  expectDropped,
  expectPing,
  expectUdpAnswered,
  expectUdpDropped,
  FAMILIES,
  Lab,
} from "./support/lab.ts";

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
  rampart = await startRampart(lab.shield, { policies: { "endpoint.yaml": ETH0 } });
});
afterAll(async () => {
  await rampart.stop();
  await lab.destroy();
});

async function inForce(text: string): Promise<void> {
  await rampart.changePolicy(() => rampart.writePolicy("policy.yaml", text));
}

describe("ports", () => {
  beforeAll(() => {
    return inForce(
      policy("web", {
        order: 10,
        types: ["Ingress", "Egress"],
        ingress: [
          allowPort("TCP", 8080),
          allowPort("UDP", 8080),
          { action: "Deny", protocol: "TCP", destination: { ports: [8081] } },
        ],
        egress: [allowPort("TCP", 8081), allowPort("UDP", 8081)],
      }),
    );
  });

  test.each(FAMILIES)("an allowed port connects over $family, another does not, in and out", async (family) => {
    await expectConnects(lab.client, family.shield, 8080);
    await expectDropped(lab.client, family.shield, 8081);
    await expectUdpAnswered(lab.client, family.shield, 8080);
    await expectUdpDropped(lab.client, family.shield, 8081);
    await expectConnects(lab.shield, family.client, 8081);
    await expectDropped(lab.shield, family.client, 8080);
    await expectUdpAnswered(lab.shield, family.client, 8081);
    await expectUdpDropped(lab.shield, family.client, 8080);
    await expectConnects(lab.client, family.shield, 8080);
  });
});

describe("ICMP errors", () => {
  beforeAll(() => inForce(allowPorts("in", "ingress", 9999) + allowPorts("out", "egress", 9999)));

  test.each(FAMILIES)("about an allowed flow pass without a rule of their own, over $family", async (family) => {
    // Nobody listens on 9999, so the other kernel answers "port unreachable", which no rule allows by itself.
    expect(await udpEcho(lab.shield, family.client, 9999, { timeoutMs: 3000 })).toBe("refused");
    expect(await udpEcho(lab.client, family.shield, 9999, { timeoutMs: 3000 })).toBe("refused");
  });

  test.each(FAMILIES)("about no flow at all do not, over $family", async (family) => {
    const unreachable = family.family === "IPv4" ? 3 : 1;
    const listener = await icmpListener(lab.shield, family.family);
    await sendIcmp(lab.client, family.shield, unreachable);
    await sendIcmp(lab.client, family.shield, unreachable);
    // What comes after it has come proves that it would have come.
    const loopback = family.family === "IPv4" ? "127.0.0.1" : "::1";
    await lab.shield.run(["ping", "-c", "1", "-W", "1", loopback], { check: true });
    await listener.waitForOutput(new RegExp(`type ${family.echoRequest} from`));
    expect(listener.stdout).not.toContain(`type ${unreachable} from ${family.client}`);
    await listener.stop();
  });
});

describe("order", () => {
  test.each(FAMILIES)("a deny at order 0 beats a later allow but not a failsafe port, over $family", async (family) => {
    const deny = { action: "Deny" };
    const denyAll = { order: 0, types: ["Ingress", "Egress"], ingress: [deny], egress: [deny] };
    await inForce(policy("deny-all", denyAll) + allowPorts("web", "ingress", 22, 8080));
    await expectDropped(lab.client, family.shield, 8080);
    await expectConnects(lab.client, family.shield, 22);
    await expectConnects(lab.shield, family.client, 179);
    await expectDropped(lab.shield, family.client, 22);
  });
});

describe("sources", () => {
  test.each(FAMILIES)("a rule for one $family address leaves its neighbour out", async (family) => {
    const rule = { ...allowPort("TCP", 8080), source: { nets: [family.clientNet] } };
    await inForce(policy("one-client", { types: ["Ingress"], ingress: [rule] }));
    await expectConnects(lab.client, family.shield, 8080);
    // Make the client use its other address.
    const prefix = `${family.shield}/${family.family === "IPv4" ? 32 : 128}`;
    const route = [prefix, "dev", "eth0", "src", family.other];
    const version = family.family === "IPv4" ? "-4" : "-6";
    await lab.client.run(["ip", version, "route", "add", ...route], { check: true });
    await expectDropped(lab.client, family.shield, 8080);
    await lab.client.run(["ip", version, "route", "del", ...route], { check: true });
    await expectConnects(lab.client, family.shield, 8080);
  });
});

describe("ICMP", () => {
  const TIMESTAMP_REQUEST = 13;
  const NODE_INFORMATION_QUERY = 139;

  test.each(FAMILIES)("ping is allowed by its type while other types are not, over $family", async (family) => {
    const other = family.family === "IPv4" ? TIMESTAMP_REQUEST : NODE_INFORMATION_QUERY;
    const allowType = (type: number) => {
      const rule = { action: "Allow", protocol: family.icmp, icmp: { type } };
      return inForce(policy("icmp", { types: ["Ingress"], ingress: [rule] }));
    };
    const listener = await icmpListener(lab.shield, family.family);

    await allowType(family.echoRequest);
    await sendIcmp(lab.client, family.shield, other);
    await expectPing(lab.client, family.shield, "answered");
    await listener.waitForOutput(new RegExp(`type ${family.echoRequest} from ${family.client}`));
    expect(listener.stdout).not.toContain(`type ${other} from`);
    await expectPing(lab.shield, family.client, "timeout");

    await allowType(other);
    await sendIcmp(lab.client, family.shield, other);
    await listener.waitForOutput(new RegExp(`type ${other} from ${family.client}`));
    await expectPing(lab.client, family.shield, "timeout");
    await listener.stop();
  });
});
