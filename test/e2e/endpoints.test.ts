/** Which interface an endpoint governs, and how it follows what happens to interfaces and addresses. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { tcpConnect } from "../../src/sandbox/probe.ts";
import { allowPorts, hostEndpoint, policy } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";

/** A change of interfaces or addresses must have its effect within this time. */
const WITHIN = { timeout: 1500, interval: 20 };

/** Addresses on the second cable between the two hosts. */
const SECOND = {
  IPv4: { shield: "10.78.0.1", client: "10.78.0.2", bits: 24 },
  IPv6: { shield: "fd78::1", client: "fd78::2", bits: 64 },
} as const;

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await rampart.uninstall();
  await lab.shield.run(["ip", "link", "del", "eth1"]);
});

async function start(...documents: readonly string[]): Promise<void> {
  rampart = await startRampart(lab.shield, { policies: { "policy.yaml": documents.join("") } });
}

async function addSecondLink(): Promise<void> {
  const { IPv4, IPv6 } = SECOND;
  await lab.sandbox.link(lab.shield, lab.client, {
    interfaces: ["eth1", "eth1"],
    addresses: [
      [`${IPv4.shield}/${IPv4.bits}`, `${IPv6.shield}/${IPv6.bits}`],
      [`${IPv4.client}/${IPv4.bits}`, `${IPv6.client}/${IPv6.bits}`],
    ],
  });
}

function attempt(address: string): Promise<string> {
  return tcpConnect(lab.client, address, 8081, { timeoutMs: 150 });
}

describe.each(FAMILIES)("over $family", ({ family, shield, other }) => {
  const second = SECOND[family];

  test("an endpoint for one interface leaves another alone", async () => {
    await addSecondLink();
    await start(hostEndpoint("shield-eth0", { interfaceName: "eth0" }), allowPorts("web", "ingress", 8080));
    await expectConnects(lab.client, shield, 8080);
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.client, second.shield, 8081);
  });

  test('an endpoint for "*" governs every interface, but not loopback', async () => {
    await addSecondLink();
    await start(hostEndpoint("shield-all", { interfaceName: "*" }), allowPorts("web", "ingress", 8080));
    for (const address of [shield, second.shield]) {
      await expectConnects(lab.client, address, 8080);
      await expectDropped(lab.client, address, 8081);
    }
    await expectConnects(lab.shield, family === "IPv4" ? "127.0.0.1" : "::1", 8081);
  });

  test('a named endpoint comes before "*"', async () => {
    await addSecondLink();
    await start(
      hostEndpoint("shield-all", { interfaceName: "*" }),
      hostEndpoint("shield-eth1", { interfaceName: "eth1", profiles: ["projectcalico-default-allow"] }),
    );
    await expectDropped(lab.client, shield, 8081);
    await expectConnects(lab.client, second.shield, 8081);
  });

  test("an endpoint by address governs the interface that has the address", async () => {
    await addSecondLink();
    await start(hostEndpoint("shield-second", { expectedIPs: [second.shield] }), allowPorts("web", "ingress", 8080));
    await expectConnects(lab.client, second.shield, 8080);
    await expectDropped(lab.client, second.shield, 8081);
    await expectConnects(lab.client, shield, 8081);
  });

  test("an address that is added later is governed within a second, and free again when it goes", async () => {
    const added = family === "IPv4" ? "10.77.0.9" : "fd77::9";
    const change = ["dev", "eth0", ...(family === "IPv6" ? ["nodad"] : [])];
    await start(hostEndpoint("shield-added", { expectedIPs: [added] }), allowPorts("web", "ingress", 8080));
    await expectConnects(lab.client, shield, 8081);
    await lab.shield.run(["ip", "address", "add", `${added}/${second.bits}`, ...change], { check: true });
    await expect.poll(() => attempt(shield), WITHIN).toBe("timeout");
    await expectDropped(lab.client, added, 8081);
    await expectConnects(lab.client, shield, 8080);
    await lab.shield.run(["ip", "address", "del", `${added}/${second.bits}`, "dev", "eth0"], { check: true });
    await expect.poll(() => attempt(shield), WITHIN).toBe("connected");
  });

  test("an interface that appears later is governed from its first packet, by its name", async () => {
    await start(hostEndpoint("shield-eth1", { interfaceName: "eth1" }), allowPorts("web", "ingress", 8080));
    await addSecondLink();
    await expectDropped(lab.client, second.shield, 8081);
    await expectConnects(lab.client, second.shield, 8080);
    await expectConnects(lab.client, shield, 8081);
  });

  test('an interface that appears later is governed from its first packet, by "*"', async () => {
    await start(hostEndpoint("shield-all", { interfaceName: "*" }), allowPorts("web", "ingress", 8080));
    await addSecondLink();
    await expectDropped(lab.client, second.shield, 8081);
    await expectConnects(lab.client, second.shield, 8080);
  });

  test("a rule's selector finds an endpoint by its expected addresses", async () => {
    const peer = { interfaceName: "eth0", node: "client", expectedIPs: [other] };
    const fromPeer = { action: "Allow", protocol: "TCP", source: { selector: "role == 'peer'" } };
    await start(
      hostEndpoint("shield-eth0", { interfaceName: "eth0" }),
      hostEndpoint("client-eth0", peer).replace('"role":"shield"', '"role":"peer"'),
      policy("from-peer", { types: ["Ingress"], ingress: [fromPeer] }),
    );
    await expectDropped(lab.client, shield, 8080);
    const version = family === "IPv4" ? "-4" : "-6";
    const route = [`${shield}/${family === "IPv4" ? 32 : 128}`, "dev", "eth0", "src", other];
    await lab.client.run(["ip", version, "route", "add", ...route], { check: true });
    await expectConnects(lab.client, shield, 8080);
    await lab.client.run(["ip", version, "route", "del", ...route], { check: true });
  });
});
