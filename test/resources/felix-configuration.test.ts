/** FelixConfiguration: what each field becomes, on which node it holds, and what is warned about (SEMANTICS 1.13). */
import { describe, expect, it } from "vitest";
import { formatCidr } from "../../src/address/address.ts";
import { effectiveFelix } from "../../src/policy/failsafe.ts";
import { calico, document, load, loadGood, pod } from "./inventory-documents.ts";
import type { BadDocument } from "./refused.ts";
import { expectRefused } from "./refused.ts";
import { loadText } from "./temporary-folder.ts";

function felix(spec: string, metadata = "{ name: default }"): string {
  return calico("FelixConfiguration", metadata, spec);
}

function node(name: string, labels: string, addresses: readonly string[] = []): string {
  const status = JSON.stringify({ addresses: addresses.map((address) => ({ type: "InternalIP", address })) });
  return document("v1", "Node", `{ name: ${name}, labels: ${labels} }`, `status: ${status}`);
}

function warningsOf(...documents: readonly string[]): string[] {
  return loadText(documents.join("---\n")).warnings.map(({ code }) => code);
}

describe("a field that is set", () => {
  it.each([
    ["disableConntrackInvalidCheck: true", { disableConntrackInvalidCheck: true }],
    ["logPrefix: 'fw %t'", { logPrefix: "fw %t" }],
    ["logActionRateLimit: 10/second", { logActionRateLimit: { count: 10, seconds: 1 } }],
    ["logActionRateLimit: 1/day", { logActionRateLimit: { count: 1, seconds: 86_400 } }],
    ["{ logActionRateLimit: 2/minute, logActionRateLimitBurst: 9 }", { logActionRateLimitBurst: 9 }],
    ["allowVXLANPacketsFromWorkloads: true", { allowVxlanFromWorkloads: true }],
    ["AllowIPIPPacketsFromWorkloads: true", { allowIpipFromWorkloads: true }],
    ["vxlanPort: 8472", { vxlanPort: 8472 }],
    ["workloadSourceSpoofing: any", { workloadSourceSpoofing: "Any" }],
    ["serviceLoopPrevention: REJECT", { serviceLoopPrevention: "Reject" }],
    ["ipipEnabled: true", { ipipEnabled: true }],
    ["vxlanEnabled: true", { vxlanEnabled: true }],
  ])("is in force: %s", (text, expected) => {
    const spec = text.startsWith("{") ? text : `{ ${text} }`;
    const set = loadGood(felix(spec));
    expect(effectiveFelix(set, "n")).toMatchObject(expected);
  });

  it("that is not set has Calico's default", () => {
    expect(effectiveFelix(loadGood(felix("{ logPrefix: '', vxlanPort: null }")), "n")).toMatchObject({
      disableConntrackInvalidCheck: false,
      logPrefix: "calico-packet",
      logActionRateLimit: undefined,
      logActionRateLimitBurst: 5,
      allowVxlanFromWorkloads: false,
      allowIpipFromWorkloads: false,
      vxlanPort: 4789,
      workloadSourceSpoofing: "Disabled",
      serviceLoopPrevention: "Drop",
      ipipEnabled: false,
      vxlanEnabled: false,
      externalNodes: [],
      ipv6Support: true,
    });
  });

  it("may list ends of tunnels as addresses and prefixes of both families", () => {
    const { externalNodes } = effectiveFelix(loadGood(felix("{ externalNodesList: [192.0.2.1, 2001:db8::/64] }")), "n");
    expect(externalNodes.map(formatCidr)).toEqual(["192.0.2.1/32", "2001:db8::/64"]);
  });

  it.each<BadDocument>([
    ["a flag in words", "VALUE", felix("{ ipipEnabled: @@maybe }")],
    ["a rate without a unit", "VALUE", felix("{ logActionRateLimit: @@'10' }")],
    ["a rate of nothing", "VALUE", felix("{ logActionRateLimit: @@0/second }")],
    ["a rate a week", "VALUE", felix("{ logActionRateLimit: @@1/week }")],
    ["a burst of nothing", "VALUE", felix("{ logActionRateLimit: 1/day, logActionRateLimitBurst: @@0 }")],
    ["a VXLAN port that is none", "PORT", felix("{ vxlanPort: @@65536 }")],
    ["an unknown service loop prevention", "VALUE", felix("{ serviceLoopPrevention: @@Off }")],
    ["an external node by name", "CIDR", felix("{ externalNodesList: [@@router] }")],
    ["a log prefix that is a number", "VALUE", felix("{ logPrefix: @@1 }")],
    ["a node selector that is none", "SELECTOR", felix("{ nodeSelector: 'a @@= b' }", "{ name: edge }")],
    ["a node selector for `default`", "VALUE", felix("{ nodeSelector: @@has(a) }")],
    ["a node selector for one host", "VALUE", felix("{ nodeSelector: @@has(a) }", "{ name: node.a }")],
  ])("is refused: %s", (_what, code, text) => expectRefused(code, text));
});

describe("what cannot act here", () => {
  it.each([
    ["chainInsertMode: Append", "RAMPART_W_FELIX_NO_EFFECT"],
    ["iptablesFilterAllowAction: Return", "RAMPART_W_FELIX_NO_EFFECT"],
    ["wireguardEnabled: true", "RAMPART_W_FELIX_NO_EFFECT"],
    ["bpfEnabled: true", "RAMPART_W_FELIX_NO_EFFECT"],
    ["logActionRateLimitBurst: 9", "RAMPART_W_FELIX_NO_EFFECT"],
    ["ipv6Support: false", "RAMPART_W_FELIX_NO_IPV6"],
  ])("is warned about: %s", (text, code) => {
    expect(warningsOf(felix(`{ ${text} }`))).toEqual([code]);
  });

  it("is not, where it asks for nothing else than what is", () => {
    const spec = "{ chainInsertMode: insert, iptablesFilterAllowAction: Accept, bpfEnabled: false, kubeNodePortRanges: ['30000:32767'] }";
    expect(warningsOf(felix(spec))).toEqual([]);
  });
});

describe("on a node", () => {
  const portOn = (name: string, ...documents: readonly string[]): number =>
    effectiveFelix(loadGood(...documents), name).vxlanPort;
  const selected = (name: string, port: number, created: string): string =>
    felix(`{ nodeSelector: "edge == 'yes'", vxlanPort: ${port} }`, `{ name: ${name}, creationTimestamp: ${created} }`);
  const EDGE = node("n1", "{ edge: 'yes' }");

  it("the one named after it is nearer than the one that selects it, and that nearer than `default`", () => {
    const documents = [EDGE, node("n2", "{}"), felix("{ vxlanPort: 1 }"), selected("edge", 2, "null")];
    expect([portOn("n1", ...documents), portOn("n2", ...documents)]).toEqual([2, 1]);
    expect(portOn("n1", ...documents, felix("{ vxlanPort: 3 }", "{ name: node.n1 }"))).toBe(3);
    expect(portOn("n1", ...documents, felix("{ logPrefix: a }", "{ name: node.n1 }"))).toBe(2);
  });

  it("of several that select it the oldest holds, whatever the order of the documents", () => {
    const young = selected("a", 1, "'2026-02-01T00:00:00Z'");
    const old = selected("b", 2, "'2026-01-01T00:00:00Z'");
    const documents = [young, old, EDGE];
    expect(warningsOf(...documents)).toEqual(["RAMPART_W_FELIX_NODES"]);
    for (const order of [documents, documents.toReversed()]) {
      const { resources } = load(...order);
      expect(effectiveFelix(resources, "n1").vxlanPort).toBe(2);
    }
  });

  it("names the interfaces of the pods there", () => {
    const prefix = felix("{ nodeSelector: has(edge), interfacePrefix: tap }", "{ name: edge }");
    const { workloadEndpoints } = loadGood(EDGE, prefix, pod("{ name: a }", "{ nodeName: n1 }"));
    expect(workloadEndpoints[0]?.interfaceName).toMatch(/^tap/);
  });

  it("one that selects no node is warned about", () => {
    expect(warningsOf(selected("edge", 2, "null"))).toEqual(["RAMPART_W_FELIX_NODES"]);
    expect(warningsOf(selected("edge", 2, "null"), node("n2", "{}"))).toEqual(["RAMPART_W_FELIX_NODES"]);
    expect(warningsOf(felix("{}", "{ name: other }"))).toEqual(["RAMPART_W_FELIX_NAME"]);
  });
});

describe("BGPConfiguration", () => {
  const bgp = (spec: string, name = "default"): string => calico("BGPConfiguration", `{ name: ${name} }`, spec);

  it("says where services have their addresses, and nothing else", () => {
    const spec =
      "{ asNumber: 64512, serviceClusterIPs: [{ cidr: 10.96.0.0/12 }, { cidr: 'fd96::/112' }], " +
      "serviceExternalIPs: [{ cidr: 192.0.2.0/24 }], serviceLoadBalancerIPs: [{ cidr: 198.51.100.7/32 }] }";
    const { serviceNets = [] } = loadGood(bgp(spec));
    expect(serviceNets.map(formatCidr)).toEqual(["10.96.0.0/12", "fd96::/112", "192.0.2.0/24", "198.51.100.7/32"]);
  });

  it("of another name says nothing of it", () => {
    expect(warningsOf(bgp("{ listenPort: 178 }", "node.a"))).toEqual([]);
    const other = bgp("{ serviceClusterIPs: [{ cidr: 10.96.0.0/12 }] }", "node.a");
    expect(warningsOf(other)).toEqual(["RAMPART_W_BGP_NAME"]);
    expect(load(other).resources.serviceNets).toEqual([]);
  });

  it.each<BadDocument>([
    ["a block that is none", "CIDR", bgp("{ serviceClusterIPs: [{ cidr: @@services }] }")],
    ["a block of every address", "VALUE", bgp("{ serviceExternalIPs: [{ cidr: @@0.0.0.0/0 }] }")],
  ])("is refused with %s", (_what, code, text) => expectRefused(code, text));
});

describe("a pod", () => {
  const annotated = (text: string): string =>
    pod(`{ name: a, annotations: { cni.projectcalico.org/allowedSourcePrefixes: ${text} } }`);

  it("may be given source prefixes", () => {
    const { workloadEndpoints } = loadGood(annotated(`'["10.9.0.0/16", "fd09::/64"]'`));
    expect(workloadEndpoints[0]?.allowedSources.map(formatCidr)).toEqual(["10.9.0.0/16", "fd09::/64"]);
  });

  it.each([`"10.9.0.0/16"`, `'[1]'`])("is refused where they are no list: %s", (text) => {
    expect(load(annotated(text)).errors).toEqual(["RAMPART_E_VALUE"]);
  });

  it("is refused where one is no prefix", () => {
    expect(load(annotated(`'["10.9"]'`)).errors).toEqual(["RAMPART_E_CIDR"]);
  });
});
