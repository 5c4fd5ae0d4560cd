/** The second article (seed 001), S21 to S23: ICMP of pods and nodes, and a node that must not be asked for redis. */
import { afterAll, beforeAll, test } from "vitest";
import { nodeEndpoint } from "../support/pod-documents.ts";
import { adapted, seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

/** The node's name, interface and IPv4 address are the article's. */
const NODE = { name: "kube-02", interfaceName: "eth0", ipv4: "192.168.2.2", ipv6: "fd02::2" };
const MACHINES = { ext: { ipv4: "192.168.2.9", ipv6: "fd02::9" } };
const PODS = {
  w0: { namespace: "default", name: "w0", ipv4: "10.65.0.1", ipv6: "fd65::1" },
  w1: { namespace: "default", name: "w1", ipv4: "10.65.0.2", ipv6: "fd65::2" },
};
const SERVICES = { service: { ipv4: "10.96.0.1", ipv6: "fd96::1" } };

const BLOCK_ICMP = seed("001", "GlobalNetworkPolicy block-icmp");
const NODE_ICMP = seed("001", "GlobalNetworkPolicy deny-icmp-kube-02");
const NODE_ENDPOINT = seed("001", "HostEndpoint kube-02-eth0");
const VPN_ENDPOINT = seed("001", "HostEndpoint vpnclient-eth0");
const VPN_RULES = seed("001", "GlobalNetworkPolicy vpn-rules");
const ALLOW_ALL = seed("001", "KubernetesNetworkPolicy default/allow-all");

let lab: SeedLab;

beforeAll(async () => {
  const ports = { tcpPorts: [80, 6379, 22, 2379], udpPorts: [53, 67, 80] };
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, services: SERVICES, ...ports });
});
afterAll(() => lab?.destroy());

function enforce(...documents: readonly string[]): Promise<void> {
  return lab.enforce(lab.inventory(), ...documents);
}

test("S21: pods have no ICMP and nothing else either, as no other policy allows anything", async () => {
  await enforce();
  await expectOutcomes(lab, { "ping w0>w1": "pass", "ping ext>w0": "pass", "w0>w1": "pass" });
  await enforce(BLOCK_ICMP);
  await expectOutcomes(lab, {
    "ping w0>w1": "drop",
    "ping w0>ext": "drop",
    "ping ext>w0": "drop",
    "w0>w1": "drop",
    "udp w0>w1:80": "drop",
    "w0>ext": "drop",
    "ext>w0": "drop",
    "ping node>w0": "pass",
  });
});

test("S21: a later policy opens the rest; ICMP stays denied, ICMPv6 was never named", async () => {
  await enforce(BLOCK_ICMP, ALLOW_ALL);
  await expectOutcomes(lab, { "w0>w1": "pass", "udp w0>ext:80": "pass", "ext>w0": "pass" });
  await expectOutcomes(lab, { "ping w0>w1": "drop", "ping w0>ext": "drop", "ping ext>w0": "drop" }, [4]);
  await expectOutcomes(lab, { "ping w0>w1": "pass", "ping w0>ext": "pass", "ping ext>w0": "pass" }, [6]);
});

test("S21: host endpoints have no ICMP and nothing else but failsafe ports, whatever their profile says", async () => {
  const endpoint = nodeEndpoint("kube-02", "open", {
    interfaceName: "eth0",
    profiles: ["projectcalico-default-allow"],
  });
  await enforce(endpoint);
  await expectOutcomes(lab, { "ping ext>node": "pass", "ping node>ext": "pass", "ext>node": "pass" });
  await enforce(endpoint, BLOCK_ICMP);
  await expectOutcomes(lab, {
    "ping ext>node": "drop",
    "ping node>ext": "drop",
    "ext>node": "drop",
    "node>ext": "drop",
    "ext>node:22": "pass",
    "node>ext:2379": "pass",
  });
});

test("S22: on the node's eth0 ICMP passes, for all that its policy is called deny-icmp, and before S21", async () => {
  for (const others of [[], [BLOCK_ICMP]]) {
    await enforce(NODE_ENDPOINT, NODE_ICMP, ...others);
    await expectOutcomes(lab, { "ping ext>node": "pass", "ping node>ext": "pass" }, [4]);
    await expectOutcomes(lab, { "ping ext>node": "drop", "ping node>ext": "drop" }, [6]);
    await expectOutcomes(lab, {
      "ext>node": "drop",
      "udp ext>node:80": "drop",
      "node>ext": "drop",
      "udp node>ext:80": "drop",
      "ext>node:22": "pass",
      "node>ext:2379": "pass",
    });
  }
  // Pods do not have the label.
  await expectOutcomes(lab, { "ping ext>w0": "drop", "ping w0>w1": "drop" });
});

test("S22: it is the order that puts it before S21", async () => {
  await enforce(NODE_ENDPOINT, adapted(NODE_ICMP, "order: 0", "order: 300"), BLOCK_ICMP);
  await expectOutcomes(lab, { "ping ext>node": "drop", "ping node>ext": "drop" });
});

test("S23: redis is closed on every interface, for whomever it is bound; DNS and DHCP get in", async () => {
  await enforce(VPN_ENDPOINT, VPN_RULES);
  await expectOutcomes(lab, {
    "ext>node:6379": "drop",
    "ext>w0:6379": "drop",
    "w0>w1:6379": "drop",
    "w0>ext:6379": "drop",
    "udp ext>node:53": "pass",
    "udp ext>node:67": "pass",
  });
});

test("S23: other traffic through the node passes, other traffic to it does not, but for failsafe ports", async () => {
  await enforce(VPN_ENDPOINT, VPN_RULES);
  await expectOutcomes(lab, {
    "ext>w0": "pass",
    "w0>ext": "pass",
    "w0>w1": "pass",
    "udp ext>w0:80": "pass",
    "ping ext>w0": "pass",
    "ext>node": "drop",
    "udp ext>node:80": "drop",
    "ping ext>node": "drop",
    "ext>node:22": "pass",
    // What the node itself sends to its pods comes in nowhere.
    "node>w0:6379": "pass",
  });
});

test("S23: the port is the one that the sender wrote, before DNAT", async () => {
  await lab.dnat("service", 6379, "w0", 80);
  await lab.dnat("service", 80, "w0", 6379);
  await enforce();
  await expectOutcomes(lab, { "ext>service:6379": "pass", "w1>service:80": "pass" });
  await enforce(VPN_ENDPOINT, VPN_RULES);
  await expectOutcomes(lab, { "ext>service:6379": "drop", "w1>service:6379": "drop", "ext>service:80": "pass" });
});

test("S21 to S23: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
