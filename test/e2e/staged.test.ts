/**
 * Staged policies on real packets: what passes and what is dropped is as if
 * they were not there, and the counters, the log, the tap, the status and
 * `rampart explain` tell what they would have done.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LogLine } from "../../src/sandbox/daemon.ts";
import type { SandboxProcess } from "../../src/sandbox/process.ts";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import {
  ALLOW,
  DENY,
  globalPolicy,
  kubernetesPolicy,
  namespace,
  networkPolicy,
  nodeEndpoint,
  pod,
  stagedGlobalPolicy,
  stagedKubernetesPolicy,
  stagedPolicy,
  tcp,
  tier,
} from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE, NODE_ADDRESS, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";

const PODS = ["a", "b"].map((name, index) => ({
  namespace: "default",
  name,
  ipv4: `10.65.0.${index + 1}`,
  ipv6: `fd65::${index + 1}`,
}));
const INVENTORY = [
  namespace("default"),
  ...PODS.map(({ name, ipv4, ipv6 }) =>
    pod({ namespace: "default", name, addresses: [ipv4, ipv6], node: NODE }),
  ),
  nodeEndpoint(NODE, "node-eth0", {
    interfaceName: "eth0",
    expectedIPs: Object.values(NODE_ADDRESS),
    profiles: ["projectcalico-default-allow"],
  }),
].join("");
const A = { selector: "name == 'a'" };
const HOST = { selector: "has(host-endpoint)" };
const STAGED = "rampart_staged_decisions_total";

let lab: PodLab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await PodLab.create({ pods: PODS, tcpPorts: [4000, 4001], udpPorts: [4000] });
  file = await PolicyFile.start(lab.node, { log: { deniedPerSecond: 1000 } });
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(lab, outcomes);
}

function enforce(...policies: readonly string[]): Promise<void> {
  return file.enforce(INVENTORY, ...policies);
}

/** Resolves when the counter has grown by this much at least since `before`. */
async function expectGrowth(labels: Readonly<Record<string, string>>, before: number, growth: number): Promise<void> {
  await expect.poll(() => file.rampart.metric(STAGED, labels)).toBeGreaterThanOrEqual(before + growth);
}

/** The log line about a connection to the address from a source port. */
function lineAbout(destination: string, accepts: (line: LogLine) => boolean): Promise<LogLine> {
  return file.rampart.waitForLog(`a decision about ${destination}`, (line) => {
    return line["destination"] === destination && line["pending"] !== undefined && accepts(line);
  });
}

describe("a staged policy for a pod", () => {
  test("row 65: nine staged Kubernetes policies for its egress have no effect, and are counted as isolating", async () => {
    const policies = Array.from({ length: 9 }, (_, i) =>
      stagedKubernetesPolicy(`s${i}`, { podSelector: { matchLabels: { name: "a" } }, policyTypes: ["Egress"] }),
    );
    await enforce(...policies);
    const labels = { direction: "egress", tier: "default", rule: "end-of-tier", enforced: "allow", pending: "deny" };
    const before = await file.rampart.metric(STAGED, labels);
    await expectOutcomes({ "a>b": "pass", "b>a": "pass", "a>ext": "pass", "ext>a": "pass", "udp a>b": "pass" });
    // Three paths leave it, over two families each.
    await expectGrowth(labels, before, 6);
    const line = await lineAbout(EXT_ADDRESS[4], (each) => each["source"] === "10.65.0.1");
    expect(line).toMatchObject({
      msg: "would be denied",
      verdict: "accept",
      hook: "forward",
      pending: "deny by StagedKubernetesNetworkPolicy default/s8, end of tier default",
    });
  });

  test("row 62: staged policies do not open what enforced ones close, and are counted as opening it", async () => {
    const enforced = [
      tier("t2", { order: 1 }),
      globalPolicy("t2.out", { tier: "t2", ...A, order: 10, types: ["Egress"], egress: [DENY] }),
      networkPolicy("t2.in", { tier: "t2", ...A, order: 10, types: ["Ingress"], ingress: [DENY] }),
    ];
    const staged = [
      stagedGlobalPolicy("t2.s", { tier: "t2", ...A, order: 1, types: ["Egress"], egress: [ALLOW] }),
      stagedPolicy("t2.s", { tier: "t2", ...A, order: 1, types: ["Ingress"], ingress: [tcp("Allow", 4000)] }),
    ];
    await enforce(...enforced, ...staged);
    const out = { direction: "egress", policy: "staged:t2.s", rule: "0", enforced: "deny", pending: "allow" };
    const into = { ...out, direction: "ingress", policy: "staged:default/t2.s" };
    const [outBefore, intoBefore] = [await file.rampart.metric(STAGED, out), await file.rampart.metric(STAGED, into)];
    await expectOutcomes({ "a>b": "drop", "a>ext": "drop", "b>a": "drop", "ext>a": "drop", "ext>a:4001": "drop" });
    await expectGrowth(out, outBefore, 4);
    await expectGrowth(into, intoBefore, 4);
    const line = await lineAbout("10.65.0.1", (each) => each["destinationPort"] === 4000);
    expect(line).toMatchObject({
      msg: "denied",
      verdict: "drop",
      policy: "default/t2.in",
      pending: "allow by StagedNetworkPolicy default/t2.s",
    });
  });

  test("row 92: a tier that has only staged policies lets the next tier decide, and then the profile", async () => {
    const staged = [
      tier("t1", { order: 1 }),
      stagedGlobalPolicy("t1.s", { tier: "t1", ...A, types: ["Ingress"], ingress: [tcp("Allow", 4001)] }),
    ];
    const labels = { policy: "staged:t1.s", rule: "end-of-tier", tier: "t1", enforced: "allow", pending: "deny" };
    await enforce(...staged);
    let before = await file.rampart.metric(STAGED, labels);
    await expectOutcomes({ "b>a": "pass", "ext>a": "pass", "a>b": "pass" });
    await expectGrowth(labels, before, 4);
    await enforce(...staged, kubernetesPolicy("k", { podSelector: {}, ingress: [{ ports: [{ port: 4000 }] }] }));
    before = await file.rampart.metric(STAGED, labels);
    await expectOutcomes({ "b>a": "pass", "ext>a": "pass", "b>a:4001": "drop" });
    await expectGrowth(labels, before, 4);
  });
});

describe("a staged policy for a host", () => {
  const deny = stagedGlobalPolicy("s", { ...HOST, types: ["Ingress"], ingress: [tcp("Deny", 4000), ALLOW] });
  const labels = { direction: "ingress", policy: "staged:s", rule: "0", enforced: "allow", pending: "deny" };

  test("lets pass what it would deny, and counts it", async () => {
    await enforce(deny);
    const before = await file.rampart.metric(STAGED, labels);
    const others = { ...labels, rule: "1", pending: "allow" };
    const othersBefore = await file.rampart.metric(STAGED, others);
    await expectOutcomes({ "ext>node": "pass", "ext>node:4001": "pass", "node>ext": "pass" });
    await expectGrowth(labels, before, 2);
    await expectGrowth(others, othersBefore, 2);
    for (const family of FAMILIES) {
      const line = await lineAbout(NODE_ADDRESS[family], (each) => each["destinationPort"] === 4000);
      expect(line).toMatchObject({
        msg: "would be denied",
        verdict: "accept",
        reason: "profile",
        endpoint: "node-eth0",
        hook: "input",
        pending: "deny by StagedGlobalNetworkPolicy s",
      });
    }
    // What it would not change is not said.
    const told = file.rampart.logs().filter((line) => line["destination"] === NODE_ADDRESS[4] && "pending" in line);
    expect(told.map((line) => line["destinationPort"])).not.toContain(4001);
  });

  test("is shown by the tap on the packet that was decided", async () => {
    await enforce(deny);
    const argv = [process.execPath, "dist/bundle/main.js", "tap", "-n", "--config", file.rampart.configFile];
    const tap: SandboxProcess = lab.node.spawn([...argv, "tcp dst port 4000"]);
    try {
      await tap.waitForOutput(/listening/);
      await expectOutcomes({ "ext>node": "pass" });
      await tap.waitForOutput(/accept input eth0 endpoint=node-eth0 .*pending=deny by StagedGlobalNetworkPolicy s\n/);
    } finally {
      await tap.stop();
    }
  });

  test("is shown by status, with what it would have changed", async () => {
    type Staged = { readonly policies: number; readonly wouldDeny: number; readonly wouldAllow: number };
    const status = async (): Promise<Staged> => (await file.rampart.status())["staged"] as Staged;
    await enforce(deny);
    const { wouldDeny } = await status();
    await expectOutcomes({ "ext>node": "pass" });
    await expect.poll(async () => (await status()).wouldDeny).toBeGreaterThanOrEqual(wouldDeny + 2);
    expect((await status()).policies).toBe(1);
    const { stdout } = await file.rampart.command(["status"], { check: true });
    expect(stdout).toMatch(/^ {2}staged {5}1 policies, not enforced; would have denied \d+ new connections/m);
  });

  test("is shown by explain", async () => {
    await enforce(deny);
    const question = ["--from", EXT_ADDRESS[4], "--to", "node-eth0", "--protocol", "tcp", "--port", "4000"];
    const argv = [process.execPath, "dist/bundle/main.js", "explain", "--policy", file.rampart.policyDirectory];
    const told = (await lab.node.run([...argv, ...question], { check: true })).stdout.split("\n");
    expect(told[0]).toMatch(/^ALLOW: /);
    expect(told[1]).toBe("pending (with the staged policies in force): deny by StagedGlobalNetworkPolicy s");
    const { stdout } = await lab.node.run([...argv, ...question, "--json"], { check: true });
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "allow", pending: { verdict: "deny" } });
  });

  test("replaces an enforced one of its name in the pending verdict only; Delete takes it out", async () => {
    const enforced = globalPolicy("p", { ...HOST, types: ["Ingress"], ingress: [tcp("Allow", 4000)] });
    const instead = stagedGlobalPolicy("p", { ...HOST, types: ["Ingress"], ingress: [tcp("Allow", 4001)] });
    await enforce(enforced, instead);
    const opened = { policy: "staged:p", rule: "0", enforced: "deny", pending: "allow" };
    const closed = { policy: "staged:p", rule: "end-of-tier", enforced: "allow", pending: "deny" };
    const before = [await file.rampart.metric(STAGED, opened), await file.rampart.metric(STAGED, closed)] as const;
    await expectOutcomes({ "ext>node:4000": "pass", "ext>node:4001": "drop" });
    await expectGrowth(opened, before[0], 2);
    await expectGrowth(closed, before[1], 2);

    await enforce(enforced, stagedGlobalPolicy("p", { stagedAction: "Delete" }));
    const deleted = { policy: "", rule: "profile", enforced: "deny", pending: "allow" };
    const beforeDelete = await file.rampart.metric(STAGED, deleted);
    await expectOutcomes({ "ext>node:4000": "pass", "ext>node:4001": "drop" });
    await expectGrowth(deleted, beforeDelete, 2);
  });

  test("counts on when it is gone only what it has counted", async () => {
    await enforce(deny);
    await expectOutcomes({ "ext>node": "pass" });
    await enforce();
    const before = await file.rampart.metric(STAGED, labels);
    expect(before).toBeGreaterThanOrEqual(2);
    await expectOutcomes({ "ext>node": "pass" });
    expect(await file.rampart.metric(STAGED, labels)).toBe(before);
    const { staged } = (await file.rampart.status()) as { readonly staged: { readonly policies: number } };
    expect(staged.policies).toBe(0);
  });
});
