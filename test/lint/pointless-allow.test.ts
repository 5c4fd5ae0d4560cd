import { describe, expect, it } from "vitest";
import { documents, said, warningsOf } from "./said.ts";

const HOST = "HostEndpoint web [role: web] { node: node-a, interfaceName: eth0 }";
const POD =
  "WorkloadEndpoint blue/pod [app: shop] " +
  "{ node: node-a, interfaceName: cali1, ipNetworks: [10.0.0.1/32], orchestrator: k8s }";
const SSH = "ingress: [{ action: Allow, protocol: TCP, destination: { ports: [22] } }]";
const ingress = (criteria: string): string => `GlobalNetworkPolicy p { ingress: [{ ${criteria} }] }`;

describe("an Allow rule for what failsafe ports always allow", () => {
  it("is reported at the rule", () => {
    expect(warningsOf(documents(HOST, `GlobalNetworkPolicy p { ${SSH} }`))).toMatchObject([
      {
        code: "RAMPART_W_POINTLESS_ALLOW",
        message:
          "GlobalNetworkPolicy p: the ingress rule allows tcp 22 only, which the failsafe ports always allow on " +
          "every HostEndpoint the policy chooses",
        location: { line: 9, column: 19 },
      },
    ]);
  });

  it.each([
    [
      "from some nets only",
      "action: Allow, protocol: TCP, source: { nets: [10.0.0.0/8] }, destination: { ports: [22] }",
    ],
    ["over several such ports", "action: Allow, protocol: TCP, destination: { ports: [22, '2379:2380', 6443] }"],
    ["over UDP", "action: Allow, protocol: UDP, destination: { ports: [68] }"],
  ])("%s", (_, criteria) => {
    expect(said(documents(HOST, ingress(criteria)))).toEqual(["POINTLESS_ALLOW"]);
  });

  it("is one of egress by the outbound list", () => {
    const egress = (port: number): string =>
      `GlobalNetworkPolicy p { egress: [{ action: Allow, protocol: UDP, destination: { ports: [${port}] } }] }`;
    expect(said(documents(HOST, egress(53)))).toEqual(["POINTLESS_ALLOW"]);
    expect(said(documents(HOST, egress(68)))).toEqual([]);
  });

  it("goes by the lists that are set", () => {
    const felix = (list: string): string => `FelixConfiguration default { failsafeInboundHostPorts: ${list} }`;
    const port = (number: number): string =>
      ingress(`action: Allow, protocol: TCP, destination: { ports: [${number}] }`);
    expect(said(documents(HOST, felix('["tcp:2222"]'), port(2222)))).toEqual(["POINTLESS_ALLOW"]);
    expect(said(documents(HOST, felix('["tcp:2222"]'), port(22)))).toEqual([]);
    expect(said(documents(HOST, felix('["none"]'), port(22)))).toEqual([]);
  });
});

describe("no warning about", () => {
  it.each([
    ["a rule with another port, too", ingress("action: Allow, protocol: TCP, destination: { ports: [22, 80] }")],
    ["a range that goes beyond", ingress("action: Allow, protocol: TCP, destination: { ports: ['22:23'] }")],
    ["the port of another protocol", ingress("action: Allow, protocol: UDP, destination: { ports: [22] }")],
    ["a source port", ingress("action: Allow, protocol: TCP, source: { ports: [22] }")],
    ["any port", ingress("action: Allow, protocol: TCP")],
    ["a named port, too", ingress("action: Allow, protocol: TCP, destination: { ports: [22, http] }")],
    ["Deny", ingress("action: Deny, protocol: TCP, destination: { ports: [22] }")],
    ["Log", ingress("action: Log, protocol: TCP, destination: { ports: [22] }")],
    ["a policy for forwarded packets, too", `GlobalNetworkPolicy p { applyOnForward: true, ${SSH} }`],
    ["a preDNAT policy", `GlobalNetworkPolicy p { applyOnForward: true, preDNAT: true, ${SSH} }`],
    ["an untracked policy", `GlobalNetworkPolicy p { applyOnForward: true, doNotTrack: true, ${SSH} }`],
  ])("%s", (_, line) => {
    expect(said(documents(HOST, line))).toEqual([]);
  });

  it("a policy for pods, too, which have no failsafe ports", () => {
    const all = `GlobalNetworkPolicy p { ${SSH} }`;
    const hosts = `GlobalNetworkPolicy p { selector: role == 'web', ${SSH} }`;
    expect(said(documents(HOST, POD, all))).toEqual([]);
    expect(said(documents(HOST, POD, hosts))).toEqual(["POINTLESS_ALLOW"]);
  });

  it("a failsafe port for one net", () => {
    const felix = 'FelixConfiguration default { failsafeInboundHostPorts: ["tcp:10.0.0.0/8:22"] }';
    expect(said(documents(HOST, felix, `GlobalNetworkPolicy p { ${SSH} }`))).toEqual([]);
  });

  it("a failsafe port that one of the policy's nodes has not", () => {
    const other = "HostEndpoint db { node: node-b, interfaceName: eth0 }";
    const felix = 'FelixConfiguration node.node-b { failsafeInboundHostPorts: ["none"] }';
    expect(said(documents(HOST, other, felix, `GlobalNetworkPolicy p { ${SSH} }`))).toEqual([]);
  });

  it("a policy that chooses no endpoint", () => {
    expect(said(documents(HOST, `GlobalNetworkPolicy p { selector: role != 'web', ${SSH} }`))).toEqual([
      "SELECTS_NOTHING",
    ]);
  });
});
