import { describe, expect, it } from "vitest";
import { formatCidr } from "../../src/address/address.ts";
import type { Policy, Rule } from "../../src/resources/types.ts";
import { chosen, onlyRule, readPolicy } from "./read-document.ts";

/** A policy of namespace shop, its spec in block style with an indentation of two. */
function kubernetes(spec: string): string {
  const meta = "metadata: { name: p, namespace: shop }";
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n${meta}\nspec:\n${spec}\n`;
}

const read = (spec: string): Policy => readPolicy(kubernetes(spec)).policy;
const warnings = (spec: string): readonly string[] => readPolicy(kubernetes(spec)).warnings;

/** A rule as text: `TCP 80,web from 10.0.0.0/8 -10.1.0.0/16`, `any from pod other`. */
function rules(list: readonly Rule[], side: "source" | "destination"): string[] {
  return list.map((rule) => {
    const { namedPorts, ports } = rule.destination;
    const numbers = ports.map(({ min, max }) => (min === max ? `${min}` : `${min}:${max}`));
    const listed = [...numbers, ...namedPorts].join(",");
    const peer = rule[side];
    const nets = [...peer.nets.map(formatCidr), ...peer.notNets.map((net) => `-${formatCidr(net)}`)].join(" ");
    const who = peer.nets.length > 0 ? nets : peer.selector === undefined ? "anyone" : chosen(peer.selector);
    return `${rule.action} ${rule.protocol ?? "any"}${listed === "" ? "" : ` ${listed}`} ${who}`;
  });
}
const ingress = (spec: string): string[] => rules(read(spec).ingress, "source");
const egress = (spec: string): string[] => rules(read(spec).egress, "destination");

describe("a Kubernetes NetworkPolicy (SEMANTICS 4)", () => {
  it("is a policy of order 1000 in tier default", () => {
    expect(read("  podSelector: {}")).toMatchObject({
      kind: "KubernetesNetworkPolicy",
      name: "p",
      namespace: "shop",
      tier: "default",
      order: 1000,
      applyOnForward: false,
      preDNAT: false,
      doNotTrack: false,
      staged: false,
    });
  });

  it("is in namespace default where none is given, and may be called anything that is a subdomain", () => {
    const text = "{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: a.b.c }, spec: {} }";
    expect(readPolicy(text).policy).toMatchObject({ namespace: "default", name: "a.b.c" });
  });

  it.each([
    ["an empty podSelector: every pod of its namespace", "  podSelector: {}", "pod"],
    ["no podSelector at all", "  policyTypes: [Ingress]", "pod"],
    ["a podSelector of null", "  podSelector:", "pod"],
    ["labels", "  podSelector: { matchLabels: { role: web } }", "pod"],
    ["labels it does not have", "  podSelector: { matchLabels: { role: db } }", ""],
    ["matchLabels of null", "  podSelector: { matchLabels: }", "pod"],
    ["labels and expressions are all needed", andExpression("web", "Exists"), "pod"],
    ["labels and an expression that fails", andExpression("web", "DoesNotExist"), ""],
    ["In", expression("role", "In, values: [db, web]"), "pod"],
    ["In without it", expression("role", "In, values: [db]"), ""],
    ["In of a label nobody has", expression("x", "In, values: [web]"), ""],
    ["NotIn", expression("role", "NotIn, values: [db]"), "pod"],
    ["NotIn with it", expression("role", "NotIn, values: [db, web]"), ""],
    ["NotIn of a missing label holds", expression("x", "NotIn, values: [web]"), "pod"],
    ["Exists", expression("role", "Exists"), "pod"],
    ["DoesNotExist", expression("role", "DoesNotExist"), ""],
    ["DoesNotExist of a missing label", expression("x", "DoesNotExist"), "pod"],
  ])("%s", (_what, spec, whom) => {
    expect(chosen(read(spec).selector)).toBe(whom);
  });
});

function expression(key: string, operator: string): string {
  return `  podSelector: { matchExpressions: [{ key: ${key}, operator: ${operator} }] }`;
}

function andExpression(role: string, operator: string): string {
  return `  podSelector: { matchLabels: { role: ${role} }, matchExpressions: [{ key: role, operator: ${operator} }] }`;
}

describe("policyTypes", () => {
  it.each([
    ["absent: ingress always", "  podSelector: {}", ["ingress"]],
    ["absent with ingress: []", "  ingress: []", ["ingress"]],
    ["absent with egress: []", "  egress: []", ["ingress"]],
    ["absent with egress of null", "  egress:", ["ingress"]],
    ["absent with an egress rule", "  egress: [{}]", ["ingress", "egress"]],
    ["empty", "  policyTypes: []\n  egress: [{}]", ["ingress", "egress"]],
    ["Egress alone", "  policyTypes: [Egress]", ["egress"]],
    ["both", '  policyTypes: ["Egress", "Ingress"]\n  ingress:\n  egress:', ["ingress", "egress"]],
  ])("%s", (_what, spec, types) => {
    expect(read(spec).types).toEqual(types);
  });

  it("that leave out a direction make its rules idle, which is said", () => {
    expect(warnings("  policyTypes: [Egress]\n  ingress: [{}]")).toEqual(["RAMPART_W_RULES_IGNORED"]);
  });
});

describe("peers", () => {
  it.each([
    ["no rule allows nothing", "  ingress: []", []],
    ["an empty rule allows everything", "  ingress: [{}]", ["Allow any anyone"]],
    ["from: [] is anyone", "  ingress: [{ from: [] }]", ["Allow any anyone"]],
    ["from: null is anyone", "  ingress:\n    - from:\n", ["Allow any anyone"]],
    ["podSelector is of the own namespace", "  ingress: [{ from: [{ podSelector: {} }] }]", ["Allow any pod"]],
    [
      "podSelector with labels",
      "  ingress: [{ from: [{ podSelector: { matchLabels: { role: db } } }] }]",
      ["Allow any "],
    ],
    [
      "namespaceSelector is all pods of all such namespaces",
      "  ingress: [{ from: [{ namespaceSelector: {} }] }]",
      ["Allow any pod other"],
    ],
    [
      "namespaceSelector looks at namespace labels",
      "  ingress: [{ from: [{ namespaceSelector: { matchLabels: { env: prod } } }] }]",
      ["Allow any pod"],
    ],
    [
      "a namespace label nobody has, negated, is no way to a host endpoint",
      "  ingress: [{ from: [{ namespaceSelector: { matchExpressions: [{ key: x, operator: DoesNotExist }] } }] }]",
      ["Allow any pod other"],
    ],
    [
      "both in one peer are both needed",
      "  ingress: [{ from: [{ namespaceSelector: {}, podSelector: { matchLabels: { role: web } } }] }]",
      ["Allow any pod other"],
    ],
    [
      "in two peers either is enough",
      "  ingress: [{ from: [{ namespaceSelector: {} }, { podSelector: { matchLabels: { role: db } } }] }]",
      ["Allow any pod other", "Allow any "],
    ],
    [
      "a null selector is absent",
      "  ingress: [{ from: [{ podSelector: , namespaceSelector: {} }] }]",
      ["Allow any pod other"],
    ],
    [
      "an ipBlock but for its exceptions",
      "  ingress: [{ from: [{ ipBlock: { cidr: 172.17.0.0/16, except: [172.17.1.0/24, 172.17.2.0/24] } }] }]",
      ["Allow any 172.17.0.0/16 -172.17.1.0/24 -172.17.2.0/24"],
    ],
    [
      "an ipBlock of IPv6",
      '  ingress: [{ from: [{ ipBlock: { cidr: "2001:db8::/32", except: ["2001:db8:1::/48"] } }] }]',
      ["Allow any 2001:db8::/32 -2001:db8:1::/48"],
    ],
  ])("%s", (_what, spec, expected) => {
    expect(ingress(spec)).toEqual(expected);
    expect(egress(spec.replace("ingress:", "egress:").replace("from:", "to:"))).toEqual(expected);
  });

  it("bits beyond the length and a bare address are masked, with a warning", () => {
    const spec = "  ingress: [{ from: [{ ipBlock: { cidr: 10.1.2.3/8 } }, { ipBlock: { cidr: 10.1.2.3 } }] }]";
    expect(ingress(spec)).toEqual(["Allow any 10.0.0.0/8", "Allow any 10.1.2.3/32"]);
    expect(warnings(spec)).toEqual(["RAMPART_W_HOST_BITS", "RAMPART_W_BARE_ADDRESS"]);
  });

  it.each([
    ["an empty peer", "{}"],
    ["a peer of nulls", "{ podSelector: , ipBlock: }"],
    ["an ipBlock with a selector", "{ ipBlock: { cidr: 10.0.0.0/8 }, podSelector: {} }"],
  ])("%s makes its rule allow nothing, and the policy still isolates", (_what, peer) => {
    const spec = `  ingress:\n    - from: [{ podSelector: {} }, ${peer}]\n    - from: [{ namespaceSelector: {} }]`;
    expect(ingress(spec)).toEqual(["Allow any pod other"]);
    expect(read(spec).types).toEqual(["ingress"]);
    expect(warnings(spec)).toEqual(["RAMPART_W_RULE_DROPPED"]);
  });
});

describe("ports", () => {
  it.each([
    ["a number, TCP where nothing is said", "[{ port: 80 }]", ["Allow 6 80 anyone"]],
    ["a protocol of their own", "[{ protocol: UDP, port: 53 }]", ["Allow 17 53 anyone"]],
    ["a protocol without a port is all its ports", "[{ protocol: SCTP }]", ["Allow 132 anyone"]],
    ["an empty entry is all of TCP", "[{}]", ["Allow 6 anyone"]],
    ["null is absent", "[{ protocol: , port: , endPort: }]", ["Allow 6 anyone"]],
    ["a range", "[{ port: 32000, endPort: 32768 }]", ["Allow 6 32000:32768 anyone"]],
    ["a range of one", "[{ port: 80, endPort: 80 }]", ["Allow 6 80 anyone"]],
    ["a name", "[{ port: web }, { port: 81 }]", ["Allow 6 81,web anyone"]],
    ["a name of another protocol", "[{ port: dns, protocol: UDP }]", ["Allow 17 dns anyone"]],
    [
      "protocols are rules of their own",
      "[{ port: 80 }, { port: 53, protocol: UDP }, { port: 443, protocol: TCP }]",
      ["Allow 6 80,443 anyone", "Allow 17 53 anyone"],
    ],
    ["all ports of a protocol include the listed ones", "[{ port: 80 }, { protocol: TCP }]", ["Allow 6 anyone"]],
    ["an empty list is any packet", "[]", ["Allow any anyone"]],
  ])("%s", (_what, ports, expected) => {
    expect(ingress(`  ingress: [{ ports: ${ports} }]`)).toEqual(expected);
    expect(egress(`  egress: [{ ports: ${ports} }]`)).toEqual(expected);
  });

  it("a number in quotes is that port, with a warning", () => {
    expect(ingress('  ingress: [{ ports: [{ port: "80" }] }]')).toEqual(["Allow 6 80 anyone"]);
    expect(warnings('  ingress: [{ ports: [{ port: "80" }] }]')).toEqual(["RAMPART_W_PORT_QUOTED"]);
  });

  it("apply to every peer, and are always the destination's", () => {
    const peers = "[{ podSelector: {} }, { ipBlock: { cidr: 10.0.0.0/8 } }]";
    const spec = `  ingress: [{ from: ${peers}, ports: [{ port: web }] }]`;
    expect(ingress(spec)).toEqual(["Allow 6 web pod", "Allow 6 web 10.0.0.0/8"]);
    for (const rule of read(spec).ingress) expect(rule.source).toMatchObject({ ports: [], namedPorts: [] });
  });

  it("a name towards an ipBlock matches nothing; other ports and peers still count", () => {
    const peers = "[{ ipBlock: { cidr: 10.0.0.0/8 } }, { podSelector: {} }]";
    const mixed = `  egress: [{ to: ${peers}, ports: [{ port: web }, { port: 80 }] }]`;
    expect(egress(mixed)).toEqual(["Allow 6 80 10.0.0.0/8", "Allow 6 80,web pod"]);
    const alone = "  egress: [{ to: [{ ipBlock: { cidr: 10.0.0.0/8 } }], ports: [{ port: web }] }]";
    expect(egress(alone)).toEqual([]);
    expect(read(alone).types).toEqual(["ingress", "egress"]);
    expect(warnings(alone)).toEqual(["RAMPART_W_NEVER_MATCHES"]);
  });
});

describe("what articles write", () => {
  it("`ingress: {}` and `egress: {}` are one empty rule: allow all, with a warning", () => {
    const spec = "  podSelector: {}\n  ingress: {}\n  egress: {}\n  policyTypes: [Ingress, Egress]";
    expect([ingress(spec), egress(spec)]).toEqual([["Allow any anyone"], ["Allow any anyone"]]);
    expect(warnings(spec)).toEqual(["RAMPART_W_OBJECT_AS_LIST", "RAMPART_W_OBJECT_AS_LIST"]);
  });

  it("a peer, a port or an expression that is a mapping is the only one of its list, with a warning", () => {
    const peer = "{ podSelector: { matchExpressions: { key: role, operator: Exists } } }";
    const spec = `  ingress:\n    - from: ${peer}\n      ports: { port: 80 }`;
    expect(ingress(spec)).toEqual(["Allow 6 80 pod"]);
    expect(warnings(spec)).toEqual(Array(3).fill("RAMPART_W_OBJECT_AS_LIST"));
  });

  it("`from:` with nothing behind it leaves the ports", () => {
    expect(ingress("  ingress:\n    - from:\n      ports:\n        - protocol: TCP\n          port: 80")).toEqual([
      "Allow 6 80 anyone",
    ]);
  });

  it("a rule knows where it stands, in every part of it", () => {
    const spec = "  ingress:\n    - ports: [{ port: 1 }]\n    - ports: [{ port: 2 }, { port: 2, protocol: UDP }]";
    expect(read(spec).ingress.map((rule) => rule.location.line)).toEqual([6, 7, 7]);
    expect(onlyRule(read("  egress: [{}]")).location).toMatchObject({ file: "policy.yaml", line: 5, column: 12 });
  });
});
