/** iptablesFilterDenyAction: Reject tells the sender at once. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, tcpConnect, udpEcho } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, felixConfiguration } from "./support/documents.ts";
import { expectConnects, expectDropped, expectUdpAnswered, FAMILIES, Lab } from "./support/lab.ts";

const REJECT = felixConfiguration({ iptablesFilterDenyAction: "Reject" });
const WEB = allowPorts("web", "ingress", 8080);

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
  rampart = await startRampart(lab.shield, {
    policies: { "felix.yaml": REJECT, "policy.yaml": ETH0, "web.yaml": WEB },
  });
});
afterAll(async () => {
  await rampart.stop();
  await lab.destroy();
});

/** Long enough for the answer, shorter than the second try of a kernel that got none. */
const AT_ONCE_MS = 900;

describe.each(FAMILIES)("over $family", ({ shield, client }) => {
  test("a denied connection is refused at once, in and out", async () => {
    expect(await tcpConnect(lab.client, shield, 8081, { timeoutMs: AT_ONCE_MS })).toBe("refused");
    expect(await tcpConnect(lab.shield, client, 8081, { timeoutMs: AT_ONCE_MS })).toBe("refused");
  });

  test("a denied datagram is answered with an ICMP error, in and out", async () => {
    expect(["refused", "unreachable"]).toContain(await udpEcho(lab.client, shield, 8081, { timeoutMs: AT_ONCE_MS }));
    expect(["refused", "unreachable"]).toContain(await udpEcho(lab.shield, client, 8081, { timeoutMs: AT_ONCE_MS }));
  });

  test("what is allowed is not disturbed, and a refusal does not stick", async () => {
    await expectConnects(lab.client, shield, 8080);
    await expectUdpAnswered(lab.client, shield, 8080);
    expect(await tcpConnect(lab.client, shield, 8081, { sourcePort: 42_000, timeoutMs: AT_ONCE_MS })).toBe("refused");
    const more = allowPorts("more", "ingress", 8081);
    await rampart.changePolicy(() => rampart.writePolicy("more.yaml", more));
    expect(await tcpConnect(lab.client, shield, 8081, { sourcePort: 42_000, timeoutMs: 4000 })).toBe("connected");
    await rampart.changePolicy(() => rampart.removePolicy("more.yaml"));
  });

  test("a live connection whose policy goes is reset", async () => {
    const connection = await openTcp(lab.client, shield, 8080);
    expect(await connection.exchange("allowed")).toMatchObject({ line: "allowed" });
    await rampart.changePolicy(() => rampart.removePolicy("web.yaml"));
    expect(await connection.exchange("cut", 2000)).toMatchObject({ outcome: "closed" });
    await rampart.changePolicy(() => rampart.writePolicy("web.yaml", WEB));
  });
});

test.each(FAMILIES)("without it, a denied connection over $family meets silence", async ({ shield }) => {
  await rampart.changePolicy(() => rampart.writePolicy("felix.yaml", felixConfiguration({})));
  await expectDropped(lab.client, shield, 8081);
  await rampart.changePolicy(() => rampart.writePolicy("felix.yaml", REJECT));
});
