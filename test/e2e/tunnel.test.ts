/**
 * Pods of two nodes whose packets go through a VXLAN tunnel: what comes out of
 * it is forwarded traffic of the tunnel's interface, whatever was said of the
 * packet around it.
 */
import { afterAll, beforeAll, describe, test } from "vitest";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import { ALLOW, DENY, felix, globalPolicy, nodeEndpoint, profile } from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE_ADDRESS } from "./support/pod-lab.ts";
import { H0, H1, nodeEndpoints, TwoNodes } from "./support/two-nodes.ts";

let nodes: TwoNodes;

beforeAll(async () => {
  nodes = await TwoNodes.create();
  for (const [node, own, other, tunnel, gateway, pod] of [
    ["h0", NODE_ADDRESS, EXT_ADDRESS, 1, 2, "w1"],
    ["h1", EXT_ADDRESS, NODE_ADDRESS, 2, 1, "w0"],
  ] as const) {
    const script = [
      `ip link add vxlan0 type vxlan id 42 local ${own[4]} remote ${other[4]} dstport 4789`,
      `ip address add 10.72.0.${tunnel}/24 dev vxlan0`,
      `ip -6 address add fd72::${tunnel}/64 dev vxlan0 nodad`,
      "ip link set vxlan0 up",
      `ip route add ${nodes.address(pod, 4)}/32 via 10.72.0.${gateway}`,
      `ip route add ${nodes.address(pod, 6)}/128 via fd72::${gateway}`,
    ];
    await nodes.host(node).run(["sh", "-e", "-c", script.join("\n")], { check: true });
  }
});
afterAll(() => nodes?.destroy());

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(nodes, outcomes, FAMILIES);
}

const NODES = { selector: "has(host-endpoint)" };
/** The nodes' own policy lets the tunnel's outer packets in; it does not apply to what is forwarded. */
const OUTER = globalPolicy("outer", {
  ...NODES,
  order: 1,
  types: ["Ingress", "Egress"],
  ingress: [{ action: "Allow", protocol: "UDP", destination: { ports: [4789] } }],
  egress: [{ action: "Allow", protocol: "UDP", destination: { ports: [4789] } }],
});

describe("with vxlanEnabled the nodes' tunnel needs no policy", () => {
  const ENABLED = felix({ vxlanEnabled: true });

  test("its ends are known by their HostEndpoints", async () => {
    await nodes.enforce(nodeEndpoints("*"));
    await expectOutcomes({ "w0>w1": "drop", "w1>w0": "drop" });
    await nodes.enforce(nodeEndpoints("*"), ENABLED);
    await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass", "udp w0>w1": "pass", "h0>h1": "drop", "udp h0>h1": "drop" });
  });

  test("and by externalNodesList; a stranger's packets are dropped, whatever the policies allow", async () => {
    const endpoints = [H0, H1].map((node) => nodeEndpoint(node, `${node}-rest`, { interfaceName: "*" }));
    const known = (...externalNodesList: readonly string[]): string => felix({ vxlanEnabled: true, externalNodesList });
    await nodes.enforce(...endpoints, known(NODE_ADDRESS[4], EXT_ADDRESS[4]));
    await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass" });
    await nodes.enforce(...endpoints, known("192.0.2.77"), OUTER);
    await expectOutcomes({ "w0>w1": "drop", "w1>w0": "drop" });
  });

  test("no end known is no effect, and the daemon says so", async () => {
    const endpoints = [H0, H1].map((node) => nodeEndpoint(node, `${node}-rest`, { interfaceName: "*" }));
    await nodes.enforce(...endpoints, ENABLED, OUTER);
    await expectOutcomes({ "w0>w1": "pass" });
    await nodes.warned(/no end of a tunnel is known/);
  });
});

describe("22: wildcard endpoints", () => {
  test("without a policy on forward, pods reach each other through the tunnel", async () => {
    await nodes.enforce(nodeEndpoints("*"), OUTER);
    await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass", "udp w0>w1": "pass", "h0>h1": "drop" });
  });

  test("a deny of forwarded ingress meets what comes out of the tunnel", async () => {
    const forward = { applyOnForward: true, types: ["Ingress", "Egress"], ingress: [DENY], egress: [ALLOW] };
    await nodes.enforce(nodeEndpoints("*"), OUTER, globalPolicy("forward", { ...NODES, order: 2, ...forward }));
    await expectOutcomes({ "w0>w1": "drop", "w1>w0": "drop", "udp w0>w1": "drop", "h0>w0": "pass", "h1>w1": "pass" });
  });

  test("a preDNAT allow of the outer packet is not one of the inner", async () => {
    const outer = [{ action: "Allow", protocol: "UDP", destination: { ports: [4789] } }];
    const forward = { applyOnForward: true, types: ["Ingress", "Egress"], ingress: [DENY], egress: [ALLOW] };
    const early = { preDNAT: true, applyOnForward: true, types: ["Ingress"], ingress: outer };
    const endpoints = [H0, H1].flatMap((node) => [
      nodeEndpoint(node, `${node}-eth0`, { interfaceName: "eth0", profiles: ["outside"] }),
      nodeEndpoint(node, `${node}-rest`, { interfaceName: "*" }),
    ]);
    await nodes.enforce(
      ...endpoints,
      profile("outside", { outside: "true" }),
      OUTER,
      globalPolicy("early", { selector: "has(outside)", order: 1, ...early }),
      globalPolicy("forward", { selector: "has(host-endpoint) && !has(outside)", order: 2, ...forward }),
    );
    await expectOutcomes({ "w0>w1": "drop", "w1>w0": "drop" });
  });
});
