/** The second article (seed 001), S12 to S17: whom a policy of the namespace "default" selects and lets in. */
import { afterAll, beforeAll, test } from "vitest";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

const NODE = { name: "node-1", interfaceName: "eth0", ipv4: "192.168.94.1", ipv6: "fd94::1" };
/** "near" and "excepted" are in S13's block of addresses, "far" is not. */
const MACHINES = {
  near: { ipv4: "192.168.94.133", ipv6: "fd94::133" },
  excepted: { ipv4: "192.168.94.134", ipv6: "fd94::134" },
  far: { ipv4: "10.94.0.1", ipv6: "fd94::1:1" },
};
const ACCESS = { access: "true" };
const PODS = {
  marked: { namespace: "default", name: "marked", ipv4: "10.65.0.1", ipv6: "fd65::1", labels: ACCESS },
  plain: { namespace: "default", name: "plain", ipv4: "10.65.0.2", ipv6: "fd65::2" },
  one: { namespace: "cs1", name: "one", ipv4: "10.65.0.3", ipv6: "fd65::3" },
  two: { namespace: "cs2", name: "two", ipv4: "10.65.0.4", ipv6: "fd65::4", labels: ACCESS },
  three: { namespace: "cs3", name: "three", ipv4: "10.65.0.5", ipv6: "fd65::5" },
};
/** The labels that S14 and S15 ask for. */
const LABELS = { cs1: { name: "cs1" }, cs2: { name: "cs2" }, cs3: { name: "cs3" } };

const DENY_MARKED = seed("001", "KubernetesNetworkPolicy default/deny-all", 1);
const BLOCK = seed("001", "KubernetesNetworkPolicy default/deny-all", 2);
const FROM_CS1 = seed("001", "KubernetesNetworkPolicy default/namespace-allow", 1);
const FROM_CS1_CS2 = seed("001", "KubernetesNetworkPolicy default/namespace-allow", 2);
const FROM_MARKED = seed("001", "KubernetesNetworkPolicy default/namespace-allow", 3);
/** Without a name of their own, these are called by their file and the line they begin at. */
const [DENY_IN, ALLOW_IN, DENY_OUT, ALLOW_OUT] = [252, 259, 267, 273].map((line) => {
  return seed("001", `KubernetesNetworkPolicy default/001-80246b5d90db1f2c-line-${line}`);
}) as [string, string, string, string];

let lab: SeedLab;

beforeAll(async () => {
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, tcpPorts: [80, 81], udpPorts: [80] });
});
afterAll(() => lab?.destroy());

function enforce(...documents: readonly string[]): Promise<void> {
  return lab.enforce(lab.inventory({ labels: LABELS }), ...documents);
}

test("S12: only pods with access=true are isolated, both ways", async () => {
  await enforce(DENY_MARKED);
  await expectOutcomes(lab, {
    "plain>marked": "drop",
    "near>marked": "drop",
    "ping one>marked": "drop",
    "marked>plain": "drop",
    "marked>near": "drop",
    "udp marked>near": "drop",
    "near>plain": "pass",
    "plain>near": "pass",
    "one>plain": "pass",
    // The label of a pod of another namespace is not meant.
    "near>two": "pass",
    "two>near": "pass",
  });
});

test("S13: the namespace reaches one block of addresses but for one of them, and nobody reaches it", async () => {
  await enforce(BLOCK);
  await expectOutcomes(lab, {
    "plain>near": "pass",
    "udp plain>near": "pass",
    "ping marked>near": "pass",
    "plain>excepted": "drop",
    "ping plain>excepted": "drop",
    "plain>far": "drop",
    "plain>one": "drop",
    "near>plain": "drop",
    "marked>plain": "drop",
    "ping excepted>plain": "drop",
    "one>excepted": "pass",
  }, [4]);
  await expectOutcomes(lab, { "plain>near": "drop", "near>plain": "drop", "ping plain>near": "drop" }, [6]);
});

test("S14: only namespaces labelled name=cs1 get in, the own one neither", async () => {
  await enforce(FROM_CS1);
  await expectOutcomes(lab, {
    "one>plain": "pass",
    "ping one>marked": "pass",
    "udp one>plain:80": "pass",
    "two>plain": "drop",
    "marked>plain": "drop",
    "near>plain": "drop",
    "plain>two": "pass",
  });
  await lab.enforce(lab.inventory({ labels: { default: { name: "cs1" } } }), FROM_CS1);
  await expectOutcomes(lab, { "one>plain": "drop", "marked>plain": "pass" });
});

test("S15: both namespaces get in, and nothing gets out", async () => {
  await enforce(FROM_CS1_CS2);
  await expectOutcomes(lab, {
    "one>plain": "pass",
    "two>plain": "pass",
    "ping two>marked": "pass",
    "three>plain": "drop",
    "marked>plain": "drop",
    "near>plain": "drop",
    "plain>one": "drop",
    "plain>two": "drop",
    "plain>near": "drop",
    "udp plain>near": "drop",
    "ping plain>one": "drop",
  });
});

test("S16: pods with access=true of the same namespace get in", async () => {
  await enforce(FROM_MARKED);
  await expectOutcomes(lab, {
    "marked>plain": "pass",
    "ping marked>plain": "pass",
    "plain>marked": "drop",
    "two>plain": "drop",
    "one>plain": "drop",
    "near>plain": "drop",
    "plain>near": "pass",
  });
});

test("S17: the fragment with an empty list denies what comes in, the one with an empty rule allows it", async () => {
  await enforce(DENY_IN);
  await expectOutcomes(lab, { "near>plain": "drop", "marked>plain": "drop", "ping one>plain": "drop" });
  await expectOutcomes(lab, { "plain>near": "pass", "near>one": "pass" });
  await enforce(DENY_IN, ALLOW_IN);
  await expectOutcomes(lab, { "near>plain": "pass", "marked>plain": "pass", "ping one>plain": "pass" });
});

test("S17: the fragment without rules denies what goes out, the one with an empty rule allows it", async () => {
  await enforce(DENY_OUT);
  await expectOutcomes(lab, { "plain>near": "drop", "plain>one": "drop", "ping plain>near": "drop" });
  await expectOutcomes(lab, { "near>plain": "pass", "one>near": "pass" });
  await enforce(DENY_OUT, ALLOW_OUT);
  await expectOutcomes(lab, { "plain>near": "pass", "plain>one": "pass", "ping plain>near": "pass" });
});

test("S12 to S17: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
