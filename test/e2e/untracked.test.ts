/** doNotTrack policy between two nodes: judged before connection tracking, packet by packet, both ways. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTcp } from "../../src/sandbox/probe.ts";
import { expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import { ALLOW, DENY, felix, globalNetworkSet, globalPolicy, nodeEndpoint } from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE_ADDRESS } from "./support/pod-lab.ts";
import { H0, H1, nodeEndpoints, TwoNodes } from "./support/two-nodes.ts";

let nodes: TwoNodes;

beforeAll(async () => {
  nodes = await TwoNodes.create();
});
afterAll(() => nodes?.destroy());

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(nodes, outcomes);
}

const ENDPOINTS = nodeEndpoints("eth0") + nodeEndpoint(H0, "client-side", { interfaceName: "eth1" });

function netsOf(addresses: { readonly 4: string; readonly 6: string }): string[][] {
  return [[`${addresses[4]}/32`], [`${addresses[6]}/128`]];
}

/** An untracked policy of one node. */
function untracked(name: string, node: string, spec: object): string {
  const kind = { doNotTrack: true, applyOnForward: true };
  return globalPolicy(name, { selector: `node == '${node}'`, order: 10, ...kind, ...spec });
}

/** What one node says of the other: a rule for each family and direction. */
function about(name: string, node: string, peer: typeof NODE_ADDRESS | typeof EXT_ADDRESS, ingress: object): string {
  return untracked(name, node, {
    types: ["Ingress", "Egress"],
    ingress: netsOf(peer).map((nets) => ({ ...ingress, source: { nets } })),
    egress: netsOf(peer).map((nets) => ({ ...ALLOW, destination: { nets } })),
  });
}

const H1_ALLOWS = about("h1-allows", H1, NODE_ADDRESS, ALLOW);

test("34: without endpoints everything is open", async () => {
  await nodes.enforce();
  await expectOutcomes({
    "h0>h1": "pass",
    "h1>h0": "pass",
    "h0>h1:2379": "pass",
    "h0>h1:22": "pass",
    "client>h0eth1:22": "pass",
  });
});

test("35: endpoints without policy leave the failsafe ports, each in its direction", async () => {
  await nodes.enforce(ENDPOINTS);
  await expectOutcomes({
    "h0>h1": "drop",
    "h1>h0": "drop",
    "h0>h1:2379": "pass",
    "h1>h0:2379": "pass",
    "h0>h1:22": "drop",
    "h1>h0:22": "drop",
    "client>h0eth1:22": "pass",
    "client>h0eth1:8055": "drop",
  });
});

test("36: untracked allows on both nodes in both directions open every port between them", async () => {
  await nodes.enforce(ENDPOINTS, H1_ALLOWS, about("h0-allows", H0, EXT_ADDRESS, ALLOW));
  await expectOutcomes({
    "h0>h1": "pass",
    "h1>h0": "pass",
    "udp h0>h1": "pass",
    "udp h1>h0": "pass",
    "h0>h1:2379": "pass",
    "h1>h0:2379": "pass",
    "h0>h1:22": "pass",
    "h1>h0:22": "pass",
    "client>h0eth1:22": "pass",
    "client>h0eth1:8055": "drop",
  });
});

test("what they allow is not tracked: the kernel knows no such connection", async () => {
  const entries = async (): Promise<number> => {
    const shown = await nodes.h0.run(["cat", "/proc/sys/net/netfilter/nf_conntrack_count"], { check: true });
    return Number(shown.stdout);
  };
  const open = async (): Promise<number> => {
    const before = await entries();
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => openTcp(nodes.host("h0"), EXT_ADDRESS[4], 8055)),
    );
    for (const connection of connections) expect(await connection.exchange("hello")).toMatchObject({ line: "hello" });
    const added = (await entries()) - before;
    for (const connection of connections) await connection.close();
    return added;
  };
  await nodes.enforce();
  expect(await open()).toBeGreaterThanOrEqual(15);
  await nodes.enforce(ENDPOINTS, H1_ALLOWS, about("h0-allows", H0, EXT_ADDRESS, ALLOW));
  expect(await open()).toBeLessThan(15);
});

test("38: a deny of what comes in also stops the answers, failsafe ports apart", async () => {
  await nodes.enforce(ENDPOINTS, H1_ALLOWS, about("h0-denies", H0, EXT_ADDRESS, DENY));
  await expectOutcomes({
    "h1>h0": "drop",
    "h0>h1": "drop",
    "h0>h1:2379": "pass",
    "h1>h0:2379": "pass",
    "h1>h0:22": "pass",
    // Port 22 is no outbound failsafe: its answers come in as anything else does.
    "h0>h1:22": "drop",
    "client>h0eth1:22": "pass",
  });
});

test("one direction is not enough: answers that no untracked rule allows belong to no connection", async () => {
  const onlyOut = untracked("h0-out", H0, { types: ["Egress"], egress: [ALLOW] });
  await nodes.enforce(ENDPOINTS, H1_ALLOWS, onlyOut);
  await expectOutcomes({ "h0>h1": "drop", "h1>h0": "drop" });
});

test("90: the wildcard has no untracked policy, and the daemon says so", async () => {
  await nodes.enforce(nodeEndpoints("*"), H1_ALLOWS, about("h0-allows", H0, EXT_ADDRESS, ALLOW));
  await expectOutcomes({ "h0>h1": "drop", "h1>h0": "drop" });
  await nodes.warned(/doNotTrack policies have no effect/);
});

describe("an untracked deny of a network set", () => {
  const FAILSAFE = felix({
    failsafeInboundHostPorts: ["tcp:22", "tcp:2379", "tcp:1234", "tcp:1235"],
    failsafeOutboundHostPorts: ["tcp:2379", "tcp:5473", "tcp:6443"],
  });
  const OPEN = globalPolicy("open", { order: 20, types: ["Ingress", "Egress"], ingress: [ALLOW], egress: [ALLOW] });
  const BLOCK = untracked("block", H1, {
    types: ["Ingress"],
    ingress: [{ ...DENY, source: { selector: "set == 'blocked'" } }],
  });
  const base = [FAILSAFE, ENDPOINTS];
  const blocked = (...nets: readonly string[]): string => globalNetworkSet("blocked", nets);

  test("39: nothing is open without policy", async () => {
    await nodes.enforce(...base);
    await expectOutcomes({ "h0>h1": "drop", "h0>h1:9091": "drop" });
  });

  test("40: everything is open with a policy that allows it", async () => {
    await nodes.enforce(...base, OPEN);
    await expectOutcomes({ "h0>h1": "pass", "h0>h1:9091": "pass" });
  });

  test("42: a set with the server's own address stops nobody", async () => {
    await nodes.enforce(...base, OPEN, BLOCK, blocked(...Object.values(EXT_ADDRESS)));
    await expectOutcomes({ "h0>h1": "pass", "h0>h1:1234": "pass" });
  });

  test("43: a set whose prefix has the client stops it, except at a failsafe port", async () => {
    await nodes.enforce(...base, OPEN, BLOCK, blocked("10.70.0.0/24", "fd70::/64"));
    await expectOutcomes({ "h0>h1": "drop", "h0>h1:9091": "drop", "h0>h1:1234": "pass" });
  });

  test("45: a failsafe port at the sender's side opens nothing", async () => {
    await nodes.enforce(...base, OPEN, BLOCK, blocked(...Object.values(NODE_ADDRESS)));
    await expectOutcomes({ "h0>h1@1235": "drop", "h0>h1:1234": "pass" });
  });

  test("44: the set's changes and the policy's end are followed", async () => {
    await nodes.enforce(...base, OPEN, BLOCK, blocked(...Object.values(NODE_ADDRESS)));
    await expectOutcomes({ "h0>h1": "drop" });
    await nodes.enforce(...base, OPEN, BLOCK, blocked("192.0.2.0/24"));
    await expectOutcomes({ "h0>h1": "pass" });
    await nodes.enforce(...base, OPEN, BLOCK, blocked(...Object.values(NODE_ADDRESS)));
    await expectOutcomes({ "h0>h1": "drop" });
    await nodes.enforce(...base, OPEN, blocked(...Object.values(NODE_ADDRESS)));
    await expectOutcomes({ "h0>h1": "pass" });
  });
});
