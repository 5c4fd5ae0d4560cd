/** The daemon restarted on purpose: packets wait for the new process, and nobody is refused or let through unjudged. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { FAMILIES, Lab } from "./support/lab.ts";
import { ALLOWED, underTraffic } from "./support/restart-scenario.ts";

const POLICY = ETH0 + allowPorts("in", "ingress", ALLOWED) + allowPorts("out", "egress", ALLOWED);

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(() => rampart.uninstall());

describe.each(FAMILIES.slice(0, 1))("rampart restart, over $family", ({ shield }) => {
  test("five times under a storm of connections: none refused, none lost, none let through unjudged", async () => {
    rampart = await startRampart(lab.shield, { policies: { "policy.yaml": POLICY } });
    const traffic = await underTraffic(lab, shield, 32, async () => {
      for (let i = 0; i < 5; i++) await rampart.restart();
    });
    expect(traffic).toMatchObject({ refused: 0, timedOut: 0, deniedConnected: 0, udpArrived: 0 });
    expect(traffic.flow).toMatchObject({ echoed: traffic.flow.sent, disorder: 0, broken: 0 });
    expect(traffic.connected).toBeGreaterThan(100);
  });
});
