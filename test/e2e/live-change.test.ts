/**
 * Whatever changes, live flows are judged anew by the side that opened them,
 * whichever side speaks next: those that are still allowed go on, the others
 * have ended. Every change concerns the far uplink only.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { globalNetworkSet, hostEndpoint, policy } from "./support/documents.ts";
import { INSIDE, type LiveFlow, LiveFlowLab, outsideNets } from "./support/live-flows.ts";
import { PolicyFile } from "./support/policy-file.ts";

const PATIENCE_MS = 4000;
const SILENCE_MS = 400;
const BOTH = { applyOnForward: true, types: ["Ingress", "Egress"] };
const NEAR = outsideNets("near");
const FAR = outsideNets("far");

function endpoint(name: string, role: string, spec: Readonly<Record<string, unknown>>): string {
  return hostEndpoint(name, { node: "router", ...spec }).replace('"role":"shield"', `"role":"${role}"`);
}

/** To and from these, outside; each is a rule of its own, as a rule with nets is for one family. */
function open(...outside: readonly Readonly<Record<string, unknown>>[]): string {
  const ingress = outside.map((source) => ({ action: "Allow", source }));
  return policy("open", { ...BOTH, ingress, egress: outside.map((destination) => ({ action: "Allow", destination })) });
}

function openNets(...nets: readonly string[]): string {
  return open(...nets.map((net) => ({ nets: [net] })));
}

const NEAR_ENDPOINT = endpoint("near", "shield", { interfaceName: "eth0" });
const FAR_ENDPOINT = endpoint("far", "shield", { interfaceName: "eth1" });
const ENDPOINTS = NEAR_ENDPOINT + FAR_ENDPOINT;
const OPEN = openNets(...NEAR, ...FAR);
const TRUSTED = open({ selector: "trusted == 'yes'" });
const trusted = (name: string, nets: readonly string[], value = "yes"): string =>
  globalNetworkSet(name, nets, { trusted: value });
const CLOSED = policy("closed", { ...BOTH, selector: "role == 'guest'" });

let lab: LiveFlowLab;
let file: PolicyFile;
let flows: LiveFlow[] = [];
let undo: (() => Promise<unknown>) | undefined;

beforeAll(async () => {
  lab = await LiveFlowLab.create();
  file = await PolicyFile.start(lab.router);
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});
afterEach(async () => {
  await undo?.();
  undo = undefined;
  for (const flow of flows) await flow.close();
  flows = [];
});

function ip(...argv: readonly string[]): Promise<unknown> {
  return lab.router.run(["ip", ...argv], { check: true });
}

/** `change` ends every flow by the far uplink and no other. */
async function expectFarEnds(before: readonly string[], change: () => Promise<unknown>): Promise<void> {
  await file.enforce(...before);
  flows = await lab.open();
  expect(flows).toHaveLength(144);
  expect(names(await lab.heard(flows, 1, () => PATIENCE_MS))).toEqual(names(flows));
  await change();
  const heard = await lab.heard(flows, 2, ({ uplink }) => (uplink === "near" ? PATIENCE_MS : SILENCE_MS));
  expect(names(heard)).toEqual(names(flows.filter(({ uplink }) => uplink === "near")));
}

/** Something about the host that makes the daemon choose endpoints anew. */
async function changeHost(change: () => Promise<unknown>): Promise<void> {
  const before = await file.rampart.generation();
  await change();
  await file.rampart.generationAfter(before);
}

function names(some: readonly LiveFlow[]): string[] {
  return some.map(({ what }) => what);
}

describe("live flows in, out and through, over TCP, UDP, SCTP and ICMP, either side next,", () => {
  test("with another policy", async () => {
    await expectFarEnds([ENDPOINTS, OPEN], () => file.enforce(ENDPOINTS, openNets(...NEAR)));
  });

  test("with another label", async () => {
    await expectFarEnds([ENDPOINTS, TRUSTED, trusted("near", NEAR), trusted("far", FAR)], () =>
      file.enforce(ENDPOINTS, TRUSTED, trusted("near", NEAR), trusted("far", FAR, "no")),
    );
  });

  test("with another network set", async () => {
    await expectFarEnds([ENDPOINTS, TRUSTED, trusted("peers", [...NEAR, ...FAR])], () =>
      file.enforce(ENDPOINTS, TRUSTED, trusted("peers", NEAR)),
    );
  });

  test("with another endpoint", async () => {
    await expectFarEnds([ENDPOINTS, OPEN, CLOSED], () =>
      file.enforce(NEAR_ENDPOINT, endpoint("far", "guest", { interfaceName: "eth1" }), OPEN, CLOSED),
    );
  });

  test("with an interface that becomes another endpoint's by a new name", async () => {
    const all = endpoint("all", "shield", { interfaceName: "*" });
    const guest = endpoint("guest", "guest", { interfaceName: "guest0" });
    await expectFarEnds([all, guest, openNets(...NEAR, ...FAR, ...INSIDE), CLOSED], async () => {
      undo = () => ip("link", "set", "guest0", "name", "eth1");
      await changeHost(() => ip("link", "set", "eth1", "name", "guest0"));
    });
  });

  test("with an interface that comes under an endpoint by a new address", async () => {
    const guest = endpoint("far", "guest", { expectedIPs: ["10.99.0.9"] });
    await expectFarEnds([NEAR_ENDPOINT, guest, OPEN, CLOSED], async () => {
      undo = () => ip("address", "del", "10.99.0.9/32", "dev", "eth1");
      await changeHost(() => ip("address", "add", "10.99.0.9/32", "dev", "eth1"));
    });
  });
});
