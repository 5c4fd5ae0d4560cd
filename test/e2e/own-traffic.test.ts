/**
 * The daemon's own traffic meets its own policy like any other: scrapes of /metrics over the network pass where a policy
 * lets them, and wait for nothing but the page, also while a large policy is compiled.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { httpGet, tcpConnect } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, policy } from "./support/documents.ts";
import { FAMILIES, Lab } from "./support/lab.ts";

const [{ shield: SHIELD }] = FAMILIES;
const PORT = 9095;
/** Nothing goes out that no policy allows: an answer passes only as part of its connection. */
const CLOSED = ETH0 + policy("closed", { order: 900, types: ["Ingress", "Egress"] });
const SCRAPE = allowPorts("scrape", "ingress", PORT);
const PATIENCE_MS = 15_000;
const RELOADS = 2;

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await rampart.uninstall();
});

/** Policies that take a while to compile; each `round` says something else. */
function many(round: number): string {
  return Array.from({ length: 600 }, (_, n) => {
    const nets = Array.from({ length: 8 }, (_net, i) => `10.${(n >> 4) & 255}.${((n & 15) << 4) + i}.${round}/32`);
    const rule = { action: "Allow", protocol: "TCP", source: { nets }, destination: { ports: [2000 + (n % 500)] } };
    return policy(`many-${n}`, { order: 100 + n, types: ["Ingress"], ingress: [rule] });
  }).join("");
}

async function generation(): Promise<number> {
  const { status, body } = await httpGet(lab.client, SHIELD, PORT, "/metrics", PATIENCE_MS);
  expect(status).toBe(200);
  return Number(/^rampart_generation (\d+)/m.exec(body)?.[1]);
}

describe.each(["connmark", "none"])("with offload %s", (offload) => {
  test("/metrics over a governed interface answers through every reload, and only where a policy lets it", async () => {
    rampart = await startRampart(lab.shield, {
      policies: { "policy.yaml": CLOSED + SCRAPE },
      settings: { metrics: { listen: `${SHIELD}:${PORT}` }, datapath: { offload } },
    });
    expect(rampart.logs()).toContainEqual(expect.objectContaining({ code: "RAMPART_W_METRICS_EXPOSED" }));
    let before = await generation();
    for (let round = 1; round <= RELOADS; round++) {
      rampart.writePolicy("many.yaml", many(round));
      // New connections all the while, each with its own first packet to be judged.
      await expect.poll(generation, { timeout: PATIENCE_MS, interval: 10 }).not.toBe(before);
      before = await generation();
    }
    rampart.writePolicy("policy.yaml", CLOSED);
    const connect = (): Promise<string> => tcpConnect(lab.client, SHIELD, PORT, { timeoutMs: 500 });
    await expect.poll(connect, { timeout: PATIENCE_MS }).toBe("timeout");
  });
});
