/** A HostEndpoint without a policy: everything new is denied both ways, except what keeps the host alive. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, tcpConnect, udpEcho, udpEchoServer } from "../../src/sandbox/probe.ts";
import type { Conversation } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, hostEndpoint } from "./support/documents.ts";
import { icmpv6Watcher } from "./support/icmp.ts";
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

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

describe("without a firewall, the lab lets everything through", () => {
  test.each(FAMILIES)("over $family", async ({ shield, client }) => {
    await expectConnects(lab.client, shield, 8080);
    await expectUdpAnswered(lab.client, shield, 8080);
    await expectPing(lab.client, shield, "answered");
    await expectConnects(lab.shield, client, 8080);
    await expectUdpAnswered(lab.shield, client, 8080);
    await expectPing(lab.shield, client, "answered");
  });
});

describe.each([
  ["a named interface", ETH0],
  ["every interface", hostEndpoint("shield-all", { interfaceName: "*" })],
])("an endpoint for %s without a policy", (_which, endpoint) => {
  let rampart: RampartProcess;

  beforeAll(async () => {
    rampart = await startRampart(lab.shield, { policies: { "endpoint.yaml": endpoint } });
  });
  afterAll(async () => {
    await rampart.uninstall();
  });

  describe.each(FAMILIES)("over $family", ({ family, shield, client }) => {
    test("denies everything new that comes in", async () => {
      await expectDropped(lab.client, shield, 8080);
      await expectUdpDropped(lab.client, shield, 8080);
      await expectPing(lab.client, shield, "timeout");
    });

    test("denies everything new that goes out", async () => {
      await expectDropped(lab.shield, client, 8080);
      await expectUdpDropped(lab.shield, client, 8080);
      await expectPing(lab.shield, client, "timeout");
    });

    test("lets the inbound failsafe ports in", async () => {
      for (const port of [22, 179, 6443]) await expectConnects(lab.client, shield, port);
      const server = await udpEchoServer(lab.shield, 68);
      await expectUdpAnswered(lab.client, shield, 68);
      await server.close();
    });

    test("lets the outbound failsafe ports out, and those are other ports", async () => {
      for (const port of [179, 6443]) await expectConnects(lab.shield, client, port);
      await expectUdpAnswered(lab.shield, client, 53);
      await expectDropped(lab.shield, client, 22);
      await expectUdpDropped(lab.client, shield, 53);
    });

    test("lets ICMP errors that belong to a flow pass, in and out", async () => {
      // Nobody listens: the answer to the datagram is "port unreachable".
      expect(await udpEcho(lab.shield, client, 67)).toBe("refused");
      expect(await udpEcho(lab.client, shield, 68)).toBe("refused");
    });

    test("lets a refusal of a failsafe port out, so that it is told from a drop", async () => {
      expect(await tcpConnect(lab.client, shield, 6666)).toBe("refused");
    });

    test("leaves loopback and the host's own addresses free", async () => {
      const loopback = family === "IPv4" ? "127.0.0.1" : "::1";
      for (const address of [loopback, shield]) {
        await expectConnects(lab.shield, address, 8080);
        await expectUdpAnswered(lab.shield, address, 8080);
        await expectPing(lab.shield, address, "answered");
      }
    });

    test("lets neighbours be found, whoever asks", async () => {
      const forget = async () => {
        for (const host of [lab.shield, lab.client]) {
          await host.run(["ip", "neigh", "flush", "dev", "eth0"], { check: true });
        }
      };
      await forget();
      await expectConnects(lab.client, shield, 22);
      await forget();
      await expectConnects(lab.shield, client, 179);
    });
  });

  test("lets multicast listener reports out", async () => {
    const watcher = await icmpv6Watcher(lab.client);
    const join = `
      const socket = require("dgram").createSocket("udp6");
      socket.bind(0, () => socket.addMembership("ff05::77", "::%eth0"));`;
    const member = lab.shield.spawn([process.execPath, "-e", join]);
    expect((await watcher.waitForOutput(/^type 143 from .*$/m))[0]).toMatch(/ from fe80:/);
    await member.stop();
    await watcher.stop();
  });
});

describe.each(FAMILIES)("connections over $family from before the daemon's first start", ({ shield, client }) => {
  let rampart: RampartProcess;
  let inbound: Conversation;
  let outbound: Conversation;
  let failsafe: Conversation;
  let unwanted: Conversation;

  beforeAll(async () => {
    inbound = await openTcp(lab.client, shield, 8080);
    outbound = await openTcp(lab.shield, client, 8081);
    failsafe = await openTcp(lab.client, shield, 22);
    unwanted = await openTcp(lab.client, shield, 8081);
    rampart = await startRampart(lab.shield, {
      policies: {
        "policy.yaml": ETH0 + allowPorts("web", "ingress", 8080) + allowPorts("backend", "egress", 8081),
      },
    });
  });
  afterAll(async () => {
    await rampart.uninstall();
  });

  test("go on when the policy allows them, whichever side speaks", async () => {
    expect(await inbound.exchange("in")).toMatchObject({ line: "in" });
    expect(await outbound.exchange("out")).toMatchObject({ line: "out" });
    expect(await lab.server(lab.shield, 8080).speak("unasked")).toBeGreaterThanOrEqual(1);
    expect(await inbound.listen()).toMatchObject({ line: "unasked" });
    expect(await lab.server(lab.client, 8081).speak("unasked")).toBeGreaterThanOrEqual(1);
    expect(await outbound.listen()).toMatchObject({ line: "unasked" });
  });

  test("go on on a failsafe port", async () => {
    expect(await failsafe.exchange("ssh")).toMatchObject({ line: "ssh" });
  });

  test("end when the policy denies them", async () => {
    expect(await unwanted.exchange("lost", 400)).toMatchObject({ outcome: "timeout" });
  });
});
