/** The first article (seed 000), S1 to S7: default policies of a namespace, and ping within a cluster. */
import { afterAll, beforeAll, test } from "vitest";
import { nodeEndpoint } from "../support/pod-documents.ts";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

const NODE = { name: "node-1", interfaceName: "eth0", ipv4: "10.70.0.1", ipv6: "fd70::1" };
/** "member" is another node of the cluster, "ext" is nobody's. */
const MACHINES = { ext: { ipv4: "10.70.0.2", ipv6: "fd70::2" }, member: { ipv4: "10.70.0.3", ipv6: "fd70::3" } };
/** The article's nginx has the address that its text gives. */
const PODS = {
  nginx: { namespace: "calico-demo", name: "calico-demo", ipv4: "10.100.104.34", ipv6: "fd10::34" },
  demo: { namespace: "calico-demo", name: "toolbox", ipv4: "10.100.104.35", ipv6: "fd10::35" },
  toolbox: { namespace: "default", name: "toolbox", ipv4: "10.100.104.36", ipv6: "fd10::36" },
  web: { namespace: "default", name: "web", ipv4: "10.100.104.37", ipv6: "fd10::37" },
};

const DENY_INGRESS = seed("000", "KubernetesNetworkPolicy default/default-deny-ingress");
const ALLOW_INGRESS = seed("000", "KubernetesNetworkPolicy default/allow-all-ingress");
const ALLOW_EGRESS = seed("000", "KubernetesNetworkPolicy default/allow-all-egress");
const DENY_ALL = seed("000", "KubernetesNetworkPolicy default/default-deny-all");
const CALICO_DEMO = seed("000", "Namespace calico-demo");
const DEMO_DENY = seed("000", "KubernetesNetworkPolicy calico-demo/default-deny");
const PING = seed("000", "GlobalNetworkPolicy allow-ping-in-cluster");
const ALLOW_HTTP = seed("000", "KubernetesNetworkPolicy calico-demo/allow-http");
/** S8, of the second article: the default that these policies of order 1000 come before. */
const GLOBAL_DENY = seed("001", "GlobalNetworkPolicy global-deny-all");

let lab: SeedLab;

beforeAll(async () => {
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, tcpPorts: [80, 81, 22], udpPorts: [80] });
});
afterAll(() => lab?.destroy());

function enforce(...documents: readonly string[]): Promise<void> {
  return lab.enforce(CALICO_DEMO, lab.inventory({ withoutNamespaces: ["calico-demo"] }), ...documents);
}

test("S1: nobody reaches a pod of the namespace; what its pods send is free", async () => {
  await enforce(DENY_INGRESS);
  await expectOutcomes(lab, {
    "demo>toolbox": "drop",
    "web>toolbox": "drop",
    "ext>web": "drop",
    "udp demo>web": "drop",
    "ping demo>web": "drop",
    "toolbox>nginx": "pass",
    "toolbox>ext": "pass",
    "udp toolbox>nginx": "pass",
    "ping web>ext": "pass",
    "ext>nginx": "pass",
    "node>toolbox": "pass",
  });
});

test("S2: everybody reaches every pod of the namespace, whatever else is denied", async () => {
  await enforce(ALLOW_INGRESS, DENY_INGRESS);
  await expectOutcomes(lab, {
    "demo>toolbox": "pass",
    "web>toolbox": "pass",
    "ext>web": "pass",
    "udp demo>web": "pass",
    "ping ext>web": "pass",
  });
  // Allowed by its rule and not for want of a policy: other pods fall to the default behind it.
  await enforce(ALLOW_INGRESS, GLOBAL_DENY);
  await expectOutcomes(lab, { "ext>toolbox": "pass", "ext>nginx": "drop", "toolbox>ext": "drop" });
});

test("S3: pods of the namespace reach everything; who reaches them is not governed", async () => {
  await enforce(ALLOW_EGRESS);
  await expectOutcomes(lab, { "toolbox>ext": "pass", "demo>toolbox": "pass", "ext>web": "pass" });
  await enforce(ALLOW_EGRESS, DENY_ALL);
  await expectOutcomes(lab, { "toolbox>ext": "pass", "udp web>nginx": "pass", "ping toolbox>ext": "pass" });
  await expectOutcomes(lab, { "ext>toolbox": "drop", "toolbox>web": "drop" });
  await enforce(ALLOW_EGRESS, GLOBAL_DENY);
  await expectOutcomes(lab, { "toolbox>ext": "pass", "demo>ext": "drop", "ext>toolbox": "drop" });
});

test("S4: nothing passes to or from a pod of the namespace", async () => {
  await enforce(DENY_ALL);
  await expectOutcomes(lab, {
    "demo>toolbox": "drop",
    "web>toolbox": "drop",
    "ext>toolbox": "drop",
    "toolbox>nginx": "drop",
    "toolbox>ext": "drop",
    "udp toolbox>ext": "drop",
    "ping web>ext": "drop",
    "ping ext>web": "drop",
    "demo>nginx": "pass",
    "ext>nginx": "pass",
    "node>toolbox": "pass",
  });
});

test("S5: neither ping nor curl reaches nginx any more; what its namespace sends is free", async () => {
  await enforce();
  await expectOutcomes(lab, { "ping toolbox>nginx": "pass", "toolbox>nginx": "pass", "demo>nginx": "pass" });
  await enforce(DEMO_DENY);
  await expectOutcomes(lab, {
    "ping toolbox>nginx": "drop",
    "ping demo>nginx": "drop",
    "toolbox>nginx": "drop",
    "demo>nginx": "drop",
    "nginx>toolbox": "pass",
    "demo>ext": "pass",
    "ping nginx>ext": "pass",
    "node>nginx": "pass",
  });
});

test("S6: endpoints may ping nginx and do nothing else", async () => {
  await enforce(DEMO_DENY, PING);
  await expectOutcomes(lab, {
    "ping toolbox>nginx": "pass",
    "ping demo>nginx": "pass",
    "toolbox>nginx": "drop",
    "demo>nginx": "drop",
    "udp toolbox>nginx": "drop",
    // No endpoint has this address.
    "ping ext>nginx": "drop",
  });
});

test("S6: the side effect: every pod and every host endpoint now denies what else comes in", async () => {
  const open = { interfaceName: "eth0", profiles: ["projectcalico-default-allow"] };
  const endpoints =
    nodeEndpoint("node-1", "blog", { ...open, expectedIPs: [NODE.ipv4, NODE.ipv6] }) +
    nodeEndpoint("node-2", "member", { ...open, expectedIPs: Object.values(MACHINES.member) });
  await enforce(endpoints);
  await expectOutcomes(lab, { "ext>node": "pass", "ping ext>node": "pass", "demo>toolbox": "pass", "ext>web": "pass" });
  await enforce(endpoints, PING);
  await expectOutcomes(lab, {
    "ext>node": "drop",
    "ext>node:22": "pass",
    "ping ext>node": "drop",
    "ping member>node": "pass",
    "member>node": "drop",
    "node>ext": "pass",
    "demo>toolbox": "drop",
    "ext>web": "drop",
    "ping demo>toolbox": "pass",
    "ping member>web": "pass",
    "toolbox>ext": "pass",
  });
});

test("S7: the namespace called default reaches port 80, nginx's own namespace does not", async () => {
  await enforce(DEMO_DENY, ALLOW_HTTP);
  await expectOutcomes(lab, {
    "toolbox>nginx": "pass",
    "web>nginx": "pass",
    "demo>nginx": "drop",
    "ext>nginx": "drop",
    "toolbox>nginx:81": "drop",
    "udp toolbox>nginx": "drop",
    "ping toolbox>nginx": "drop",
  });
  await enforce(DEMO_DENY, PING, ALLOW_HTTP);
  await expectOutcomes(lab, {
    "toolbox>nginx": "pass",
    "demo>nginx": "drop",
    "ping toolbox>nginx": "pass",
    "ping demo>nginx": "pass",
  });
});

test("S1 to S7: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
