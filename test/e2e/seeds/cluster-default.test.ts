/** The second article (seed 001), S8 to S11: a cluster's default deny, and what namespaces open before it. */
import { afterAll, beforeAll, test } from "vitest";
import { nodeEndpoint } from "../support/pod-documents.ts";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

const NODE = { name: "node-1", interfaceName: "eth0", ipv4: "10.70.0.1", ipv6: "fd70::1" };
const MACHINES = { ext: { ipv4: "10.70.0.2", ipv6: "fd70::2" } };
const PODS = {
  app: { namespace: "org-1", name: "app", ipv4: "10.65.0.1", ipv6: "fd65::1" },
  peer: { namespace: "org-1", name: "peer", ipv4: "10.65.0.2", ipv6: "fd65::2" },
  dns: { namespace: "kube-system", name: "dns", ipv4: "10.65.0.3", ipv6: "fd65::3" },
  one: { namespace: "cs1", name: "one", ipv4: "10.65.0.4", ipv6: "fd65::4" },
  two: { namespace: "cs1", name: "two", ipv4: "10.65.0.5", ipv6: "fd65::5" },
};
/** The label that S8 asks for, which no namespace has by itself. */
const SYSTEM = { "kube-system": { name: "kube-system" } };

const GLOBAL_DENY = seed("001", "GlobalNetworkPolicy global-deny-all");
const TEAM = seed("001", "KubernetesNetworkPolicy org-1/team-netpol");
const REJECT_ALL = seed("001", "KubernetesNetworkPolicy cs1/deny-all-egress");
const ALLOW_ALL = seed("001", "KubernetesNetworkPolicy cs1/allow-all-egress");

let lab: SeedLab;

beforeAll(async () => {
  const ports = { tcpPorts: [80, 81, 53, 22], udpPorts: [53, 80] };
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, ...ports });
});
afterAll(() => lab?.destroy());

test("S8: every pod denies both ways, but for DNS over UDP, of IPv4 only", async () => {
  await lab.enforce(lab.inventory({ labels: SYSTEM }), GLOBAL_DENY);
  await expectOutcomes(lab, {
    "app>peer": "drop",
    "one>app": "drop",
    "ext>app": "drop",
    "app>ext": "drop",
    "app>ext:53": "drop",
    "udp app>ext:80": "drop",
    "udp ext>app:53": "drop",
    "udp app>peer:53": "drop",
    "ping app>ext": "drop",
    "ping ext>app": "drop",
    "node>app": "pass",
  });
  await expectOutcomes(lab, { "udp app>ext:53": "pass" }, [4]);
  await expectOutcomes(lab, { "udp app>ext:53": "drop" }, [6]);
});

test("S8: kube-system is free both ways by the label name=kube-system, not by its name", async () => {
  await lab.enforce(lab.inventory(), GLOBAL_DENY);
  await expectOutcomes(lab, { "dns>ext": "drop", "ext>dns": "drop", "ping dns>ext": "drop" });
  await lab.enforce(lab.inventory({ labels: SYSTEM }), GLOBAL_DENY);
  await expectOutcomes(lab, {
    "dns>ext": "pass",
    "ping dns>ext": "pass",
    "ext>dns": "pass",
    "udp ext>dns:80": "pass",
    // The other end's own policy still holds.
    "dns>app": "drop",
    "app>dns": "drop",
  });
  await expectOutcomes(lab, { "udp app>dns:53": "pass" }, [4]);
});

test("S8: it selects host endpoints too", async () => {
  const spec = { interfaceName: "eth0", profiles: ["projectcalico-default-allow"] };
  const endpoint = nodeEndpoint("node-1", "eth0", spec);
  await lab.enforce(lab.inventory({ labels: SYSTEM }), endpoint);
  await expectOutcomes(lab, { "ext>node": "pass", "node>ext": "pass" });
  await lab.enforce(lab.inventory({ labels: SYSTEM }), endpoint, GLOBAL_DENY);
  await expectOutcomes(lab, {
    "ext>node": "drop",
    "udp ext>node:53": "drop",
    "ping ext>node": "drop",
    "node>ext": "drop",
    "ping node>ext": "drop",
    "ext>node:22": "pass",
    "udp node>ext:53": "pass",
  });
});

test("S9: port 80 of the namespace is open to all, before S8; the rest falls to S8", async () => {
  await lab.enforce(lab.inventory({ labels: SYSTEM }), GLOBAL_DENY, TEAM);
  await expectOutcomes(lab, {
    "ext>app": "pass",
    "dns>app": "pass",
    "ext>app:81": "drop",
    "dns>app:81": "drop",
    "udp ext>app:80": "drop",
    "ping ext>app": "drop",
    "app>ext": "drop",
    "app>peer": "drop",
    "ext>one": "drop",
  });
  await expectOutcomes(lab, { "udp app>ext:53": "pass" }, [4]);
  await expectOutcomes(lab, { "udp app>ext:53": "drop" }, [6]);
});

test("S9: without S8 nothing leaves the namespace, DNS neither", async () => {
  await lab.enforce(lab.inventory({ labels: SYSTEM }), TEAM);
  await expectOutcomes(lab, {
    "ext>app": "pass",
    "ext>app:81": "drop",
    "udp app>ext:53": "drop",
    "app>ext": "drop",
    "one>ext": "pass",
  });
});

test("S10: nothing passes to or from the namespace, but from the host", async () => {
  await lab.enforce(lab.inventory(), REJECT_ALL);
  await expectOutcomes(lab, {
    "ext>one": "drop",
    "app>one": "drop",
    "two>one": "drop",
    "one>app": "drop",
    "one>ext": "drop",
    "udp one>ext:53": "drop",
    "ping one>ext": "drop",
    "ping ext>one": "drop",
    "node>one": "pass",
    "ping node>one": "pass",
    "app>ext": "pass",
    "ext>app": "pass",
  });
});

test("S11: everything passes to and from the namespace, also beside S10 and before S8", async () => {
  for (const other of [REJECT_ALL, GLOBAL_DENY]) {
    await lab.enforce(lab.inventory(), ALLOW_ALL, other);
    await expectOutcomes(lab, {
      "ext>one": "pass",
      "two>one": "pass",
      "one>ext": "pass",
      "udp one>two:53": "pass",
      "ping one>ext": "pass",
      "ping ext>one": "pass",
    });
  }
  await expectOutcomes(lab, { "one>app": "drop", "app>one": "drop" });
});

test("S8 to S11: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
