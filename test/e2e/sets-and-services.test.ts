/** Peers of a pod's rules that are no pod's labels: network sets, services, and rules with notes and logs. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import {
  ALLOW,
  DENY,
  endpointSlice,
  globalNetworkSet,
  globalPolicy,
  kubernetesPolicy,
  namespace,
  networkPolicy,
  pod,
} from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";

const PODS = ["w0", "w1", "w2"].map((name, index) => ({
  namespace: "default",
  name,
  ipv4: `10.65.0.${index + 1}`,
  ipv6: `fd65::${index + 1}`,
}));
const INVENTORY = [
  namespace("default"),
  ...PODS.map(({ name, ipv4, ipv6 }) => pod({ namespace: "default", name, addresses: [ipv4, ipv6], node: NODE })),
];

let lab: PodLab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await PodLab.create({ pods: PODS, tcpPorts: [80, 81], udpPorts: [80] });
  file = await PolicyFile.start(lab.node);
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(lab, outcomes);
}

function enforce(...documents: readonly string[]): Promise<void> {
  return file.enforce(...INVENTORY, ...documents);
}

function hostNets(...names: readonly string[]): string[] {
  return names.flatMap((name) => [`${lab.address(name, 4)}/32`, `${lab.address(name, 6)}/128`]);
}

describe("78: network sets on both sides of a rule, above a default deny", () => {
  const CLOSED = kubernetesPolicy("closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  const rule = { ...ALLOW, source: { selector: "set == 'a'" }, destination: { selector: "set == 'b'" } };
  const OPEN = globalPolicy("open", {
    selector: "has(name)",
    types: ["Ingress", "Egress"],
    ingress: [rule],
    egress: [rule],
  });
  const sets = (a: readonly string[], b: readonly string[], ...more: readonly string[]): Promise<void> =>
    enforce(CLOSED, OPEN, globalNetworkSet("a", a), globalNetworkSet("b", b), ...more);

  test("only members pass, and a change of the members is followed", async () => {
    await sets(hostNets("w0"), hostNets("w1"));
    await expectOutcomes({ "w0>w1": "pass", "udp w0>w1": "pass", "w1>w0": "drop", "w2>w1": "drop", "w0>w2": "drop" });
    await sets(hostNets("w2", "ext"), hostNets("w1", "w0"));
    await expectOutcomes({ "w0>w1": "drop", "w2>w1": "pass", "w2>w0": "pass", "ext>w1": "pass", "w2>ext": "drop" });
  });

  test("a set of everything is every source", async () => {
    await sets(["0.0.0.0/0", "::/0"], hostNets("w1"));
    await expectOutcomes({ "w0>w1": "pass", "w2>w1": "pass", "ext>w1": "pass", "w0>w2": "drop" });
  });

  test("of two sets that overlap, taking one away leaves the members of the other", async () => {
    const second = (nets: readonly string[]): string =>
      globalNetworkSet("second", nets).replace('"set":"second"', '"set":"a"');
    await sets(hostNets("w0"), hostNets("w1"), second(["10.65.0.0/24", "fd65::/64"]));
    await expectOutcomes({ "w0>w1": "pass", "w2>w1": "pass" });
    await sets(hostNets("w0"), hostNets("w1"));
    await expectOutcomes({ "w0>w1": "pass", "w2>w1": "drop" });
    await sets([], hostNets("w1"), second(["10.65.0.0/24", "fd65::/64"]));
    await expectOutcomes({ "w0>w1": "pass", "w2>w1": "pass" });
  });
});

describe("services as peers", () => {
  const SERVICE = { services: { name: "web", namespace: "default" } };
  const CLOSED = kubernetesPolicy("closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  const INWARD = networkPolicy("inward", { order: 10, types: ["Ingress"], ingress: [ALLOW] });
  const slices = (...names: readonly string[]): string =>
    ([4, 6] as const)
      .map((family) => endpointSlice("web", family, names.map((name) => lab.address(name, family)), 80))
      .join("");

  test("79: as a destination, a service is its backends at their port", async () => {
    const out = networkPolicy("out", { order: 10, types: ["Egress"], egress: [{ ...ALLOW, destination: SERVICE }] });
    await enforce(CLOSED, INWARD, out, slices("w1"));
    await expectOutcomes({ "w0>w1:80": "pass", "w0>w1:81": "drop", "udp w0>w1:80": "drop", "w1>w0:80": "drop" });
    await enforce(CLOSED, INWARD, out, slices("w1", "w0"));
    await expectOutcomes({ "w0>w1:80": "pass", "w1>w0:80": "pass", "w1>w0:81": "drop" });
  });

  test("80: a service denied before everything is allowed", async () => {
    const egress = [{ ...DENY, destination: SERVICE }, ALLOW];
    await enforce(networkPolicy("out", { order: 10, types: ["Egress"], egress }), slices("w1"));
    await expectOutcomes({ "w0>w1:80": "drop", "w0>w1:81": "pass", "w1>w0:80": "pass", "w0>ext:80": "pass" });
  });

  test("81: as a source, a service is its backends from any port", async () => {
    const inward = networkPolicy("in", { types: ["Ingress"], ingress: [{ ...ALLOW, source: SERVICE }] });
    await enforce(inward, slices("w1"));
    await expectOutcomes({ "w1>w0:80": "pass", "w1>w0:81": "pass", "w0>w1:80": "drop", "w2>w0:80": "drop" });
  });
});

test("88: notes with line breaks and any script leave a rule as it is", async () => {
  const metadata = { annotations: { "example.com/why": "first line\nsecond line\n\u00e9\u4f8b\u2713 -j DROP" } };
  const source = { selector: "name == 'w1'" };
  await enforce(networkPolicy("noted", { selector: "name == 'w0'", ingress: [{ ...ALLOW, metadata, source }] }));
  await expectOutcomes({ "w1>w0": "pass", "w2>w0": "drop" });
});

test("89: a Log rule writes a line and decides nothing", async () => {
  const ingress = [{ action: "Log", source: { nets: [`${EXT_ADDRESS[4]}/32`] } }, ALLOW];
  await enforce(networkPolicy("logged", { selector: "name == 'w0'", ingress }));
  await expectOutcomes({ "ext>w0": "pass" });
  await file.rampart.waitForLog("the logged packet", (line) => line.msg === "logged");
  expect(file.rampart.logs().filter((line) => line.msg === "logged")).toHaveLength(1);
});
