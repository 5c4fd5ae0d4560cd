/**
 * preDNAT policy: judged on the way in, by the destination that the sender
 * wrote, for the node and for what it forwards. Node ports 32010 and 32011 of
 * the two pods are sent to their port 8055.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import { ALLOW, DENY, felix, globalPolicy, namespace, nodeEndpoint, pod, tcp } from "./support/pod-documents.ts";
import { NODE, NODE_ADDRESS, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";

const PODS = [
  { namespace: "default", name: "w0", ipv4: "10.65.0.10", ipv6: "fd65::10", nodePort: 32010 },
  { namespace: "default", name: "w1", ipv4: "10.65.0.11", ipv6: "fd65::11", nodePort: 32011 },
] as const;
const INVENTORY = [
  namespace("default"),
  ...PODS.map(({ name, ipv4, ipv6 }) => pod({ namespace: "default", name, addresses: [ipv4, ipv6], node: NODE })),
];

let lab: PodLab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await PodLab.create({ pods: PODS, tcpPorts: [8055, 9091, 6379, 22], udpPorts: [53, 67, 8055] });
  for (const { ipv4, ipv6, nodePort } of PODS) {
    for (const [iptables, address, to] of [
      ["iptables", ipv4, `${ipv4}:8055`],
      ["ip6tables", ipv6, `[${ipv6}]:8055`],
    ] as const) {
      const match = ["-p", "tcp", "-d", address, "--dport", String(nodePort)];
      const target = ["-j", "DNAT", "--to-destination", to];
      await lab.node.run([iptables, "-t", "nat", "-A", "PREROUTING", ...match, ...target], { check: true });
    }
  }
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

function endpoint(interfaceName: string, spec: object = {}): string {
  const name = interfaceName === "*" ? "every-interface" : interfaceName;
  return nodeEndpoint(NODE, name, { interfaceName, expectedIPs: Object.values(NODE_ADDRESS), ...spec });
}

/** A preDNAT policy for the node's endpoints. */
function preDNAT(name: string, order: number, ...ingress: readonly object[]): string {
  const kind = { preDNAT: true, applyOnForward: true, types: ["Ingress"] };
  return globalPolicy(name, { selector: "has(host-endpoint)", order, ...kind, ingress });
}

const DENY_ALL = preDNAT("deny", 20, DENY);
const BETWEEN_PODS = { "w0>w1:32011": "pass", "w1>w0:32010": "pass" } as const;
const FROM_OUTSIDE = { "ext>w0:32010": "pass", "ext>w1:32011": "pass" } as const;
const NOT_FROM_OUTSIDE = { "ext>w0:32010": "drop", "ext>w1:32011": "drop" } as const;

describe("node ports of pods", () => {
  test("23: without an endpoint they are open to all", async () => {
    await enforce();
    await expectOutcomes({ ...BETWEEN_PODS, ...FROM_OUTSIDE });
  });

  test("24: a deny on eth0 closes them to what comes in there, not to pods", async () => {
    await enforce(endpoint("eth0"), DENY_ALL);
    await expectOutcomes({ ...BETWEEN_PODS, ...NOT_FROM_OUTSIDE });
  });

  test("26: allowing the port behind DNAT opens nothing: it is judged before", async () => {
    await enforce(endpoint("eth0"), DENY_ALL, preDNAT("allow", 10, tcp("Allow", 8055)));
    await expectOutcomes({ ...BETWEEN_PODS, ...NOT_FROM_OUTSIDE, "ext>w0:8055": "pass" });
  });

  test("allowing the node port on eth0 opens that one", async () => {
    await enforce(endpoint("eth0"), DENY_ALL, preDNAT("allow", 10, tcp("Allow", 32010)));
    await expectOutcomes({ ...BETWEEN_PODS, "ext>w0:32010": "pass", "ext>w1:32011": "drop", "ext>w0:8055": "drop" });
  });

  test("27: the wildcard's deny also meets what pods send", async () => {
    await enforce(endpoint("*"), DENY_ALL);
    await expectOutcomes({ "w0>w1:32011": "drop", "w1>w0:32010": "drop", ...NOT_FROM_OUTSIDE });
  });

  test("28: allowing one node port opens it to pods and to the outside", async () => {
    await enforce(endpoint("*"), DENY_ALL, preDNAT("allow", 10, tcp("Allow", 32010)));
    await expectOutcomes({
      "w1>w0:32010": "pass",
      "ext>w0:32010": "pass",
      "w0>w1:32011": "drop",
      "ext>w1:32011": "drop",
    });
  });
});

describe.each(["eth0", "*"])("the node's own ports, endpoint of interface %s", (interfaceName) => {
  test("30: open without an endpoint", async () => {
    await enforce();
    await expectOutcomes({ "ext>node:9091": "pass" });
  });

  test("31: closed by an endpoint without policy", async () => {
    await enforce(endpoint(interfaceName));
    await expectOutcomes({ "ext>node:9091": "drop", "ext>node:22": "pass" });
  });

  test("32: still closed where a preDNAT policy allows another port", async () => {
    await enforce(endpoint(interfaceName), preDNAT("other", 10, tcp("Allow", 1234)));
    await expectOutcomes({ "ext>node:9091": "drop" });
  });

  test("a preDNAT allow lets in what no normal policy allows", async () => {
    await enforce(endpoint(interfaceName), preDNAT("this", 10, tcp("Allow", 9091)));
    await expectOutcomes({ "ext>node:9091": "pass", "ext>node:8055": "drop" });
  });

  test("a deny of everything spares failsafe ports, also those of pods, and answers to the node", async () => {
    await enforce(endpoint(interfaceName, { profiles: ["projectcalico-default-allow"] }), DENY_ALL);
    await expectOutcomes({
      "ext>node:22": "pass",
      "ext>w0:22": "pass",
      "ext>w0:8055": "drop",
      "ext>node:9091": "drop",
    });
    await expectOutcomes({
      "node>ext:9091": "pass",
      "node>w0:8055": "pass",
      "udp node>ext:8055": "pass",
      "w0>ext:22": "pass",
    });
  });

  test("an allow does not spare a pod its own policy", async () => {
    const closed = globalPolicy("closed", { selector: "name == 'w0'", types: ["Ingress"] });
    await enforce(endpoint(interfaceName), preDNAT("allow", 10, ALLOW), closed);
    await expectOutcomes({ "ext>w0:32010": "drop", "ext>w1:32011": "pass" });
  });
});

test("an endpoint of eth0 without preDNAT policy does not keep the wildcard's from it", async () => {
  await enforce(
    nodeEndpoint(NODE, "named", { interfaceName: "eth0", profiles: ["projectcalico-default-allow"] }),
    nodeEndpoint(NODE, "wild", { interfaceName: "*" }),
    globalPolicy("early", {
      selector: "has(host-endpoint)",
      preDNAT: true,
      applyOnForward: true,
      types: ["Ingress"],
      ingress: [tcp("Deny", 9091)],
    }),
  );
  await expectOutcomes({ "ext>node:9091": "drop", "ext>node:8055": "pass" });
});

describe("S23: a VPN host that must never be asked for redis", () => {
  const rules = [
    tcp("Deny", 6379),
    { action: "Allow", protocol: "UDP", destination: { ports: [53, 67] } },
  ];

  test("redis is closed wherever it is, DNS is open, other transit passes, other local traffic does not", async () => {
    await enforce(endpoint("*"), felix({ defaultEndpointToHostAction: "Accept" }), preDNAT("vpn-rules", 0, ...rules));
    await expectOutcomes({
      "ext>node:6379": "drop",
      "ext>w0:6379": "drop",
      "w0>w1:6379": "drop",
      "w0>ext:6379": "drop",
      "udp ext>node:53": "pass",
      "udp ext>node:67": "pass",
      "udp ext>node:8055": "drop",
      "ext>node:9091": "drop",
      "ext>node:22": "pass",
      "ext>w0:9091": "pass",
      "w0>ext:9091": "pass",
      "w0>w1:9091": "pass",
    });
  });
});
