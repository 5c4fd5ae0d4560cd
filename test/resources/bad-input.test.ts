import { describe, expect, it } from "vitest";
import type { BadDocument } from "./refused.ts";
import { expectRefused } from "./refused.ts";
import { inRule, loadText, policy, resource } from "./temporary-folder.ts";

function endpointWithPort(port: string): string {
  return resource("HostEndpoint", "{ name: a }", `{ node: h, interfaceName: e, ports: [${port}] }`);
}

const SERVICE = "services: { name: a, namespace: b }";

/** A policy whose only ingress rule has this source. */
function inEntity(fields: string): string {
  return inRule(`{ action: Allow, source: { ${fields} } }`);
}

/** A policy whose only egress rule has this beside a service as its destination. */
function toService(fields: string): string {
  return policy(`  egress:\n    - { action: Allow, protocol: TCP, destination: { ${SERVICE}, ${fields} } }`);
}

const rules: BadDocument[] = [
  ["an unknown field in a rule", "FIELD_UNKNOWN", inRule("{ action: Allow, @@port: 80 }")],
  ["an unknown field in an entity", "FIELD_UNKNOWN", inRule("{ action: Allow, source: { @@net: [] } }")],
  ["protocol inside an entity", "FIELD_UNKNOWN", inRule("{ action: Allow, destination: { @@protocol: TCP } }")],
  ["an unknown field in icmp", "FIELD_UNKNOWN", inRule("{ action: Allow, protocol: ICMP, icmp: { @@typ: 8 } }")],
  ["notIcmp in the wrong case", "FIELD_UNKNOWN", inRule("{ action: Deny, @@notIcmp: { type: 8 } }")],
  ["a __proto__ field", "FIELD_UNKNOWN", inRule("{ action: Allow, @@__proto__: { nets: [] } }")],
  ["no action", "FIELD_MISSING", inRule("@@{ protocol: TCP }")],
  ["an action nobody knows", "VALUE", inRule("{ action: @@Accept }")],
  ["an action that is no text", "TYPE", inRule("{ action: @@true }")],
  ["an empty rule", "TYPE", inRule("@@")],
  ["a protocol nobody knows", "VALUE", inRule("{ action: Allow, protocol: @@GRE }")],
  ["protocol 0", "VALUE", inRule("{ action: Allow, protocol: @@0 }")],
  ["protocol 256", "VALUE", inRule("{ action: Allow, protocol: @@256 }")],
  ["protocol 6.5", "VALUE", inRule("{ action: Allow, protocol: @@6.5 }")],
  ["a protocol that is a list", "TYPE", inRule("{ action: Allow, protocol: @@[6] }")],
  ["notProtocol 0", "VALUE", inRule('{ action: Allow, notProtocol: @@"0" }')],
  ["ipVersion 5", "VALUE", inRule("{ action: Allow, ipVersion: @@5 }")],
  ["ipVersion as text", "VALUE", inRule('{ action: Allow, ipVersion: @@"4" }')],
  ["ICMP over IPv6", "VALUE", inRule("{ action: Allow, ipVersion: 6, protocol: @@ICMP }")],
  ["ICMPv6 over IPv4", "VALUE", inRule("{ action: Allow, ipVersion: 4, protocol: @@58 }")],
  ["not ICMP over IPv6", "VALUE", inRule("{ action: Allow, ipVersion: 6, notProtocol: @@1 }")],
  ["icmp with TCP", "VALUE", inRule("{ action: Allow, protocol: TCP, @@icmp: { type: 8 } }")],
  ["icmp without a protocol", "VALUE", inRule("{ action: Allow, @@icmp: { type: 8 } }")],
  ["icmp type 255", "VALUE", inRule("{ action: Allow, protocol: ICMP, icmp: { type: @@255 } }")],
  ["icmp type -1", "VALUE", inRule("{ action: Allow, protocol: ICMP, icmp: { type: @@-1 } }")],
  ["icmp code 256", "VALUE", inRule("{ action: Allow, protocol: ICMP, icmp: { type: 3, code: @@256 } }")],
  ["icmp type 8.5", "TYPE", inRule("{ action: Allow, protocol: ICMP, icmp: { type: @@8.5 } }")],
  ["icmp type as text", "TYPE", inRule('{ action: Allow, protocol: ICMP, icmp: { type: @@"8" } }')],
  ["icmp code 0 without a type", "VALUE", inRule("{ action: Allow, protocol: ICMP, icmp: { code: @@0 } }")],
  ["a net that is no prefix", "CIDR", inRule("{ action: Allow, source: { nets: [10.0.0.0/8, @@10.0.0.0/33] } }")],
  ["a net with host bits", "CIDR", inRule("{ action: Allow, source: { nets: [@@10.0.0.1/8] } }")],
  ["an IPv6 net with host bits", "CIDR", inRule('{ action: Allow, source: { nets: [@@"2001:db8::1/32"] } }')],
  ["a net that is a number", "TYPE", inRule("{ action: Allow, source: { nets: [@@10] } }")],
  ["a net that is no list", "TYPE", inRule("{ action: Allow, source: { nets: @@10.0.0.0/8 } }")],
  ["IPv4 and IPv6 in one list", "CIDR", inRule('{ action: Allow, source: { nets: @@[10.0.0.0/8, "::1/128"] } }')],
  [
    "IPv4 source and IPv6 destination",
    "CIDR",
    inRule('{ action: Allow, source: { nets: [10.0.0.0/8] }, destination: { notNets: @@["2001:db8::/32"] } }'),
  ],
  ["an IPv4 net in an IPv6 rule", "CIDR", inRule("{ action: Allow, ipVersion: 6, source: { nets: @@[10.0.0.0/8] } }")],
  ["notNets of all IPv4", "CIDR", inRule("{ action: Allow, source: { notNets: @@[0.0.0.0/0] } }")],
  ["notNets of all IPv6", "CIDR", inRule('{ action: Allow, source: { notNets: @@["::/0"] } }')],
  ["257 nets", "LIMIT", inRule(`{ action: Allow, source: { nets: @@[${"10.0.0.0/8, ".repeat(257)}] } }`)],
  ["port 70000", "PORT", inRule("{ action: Allow, protocol: TCP, destination: { ports: [80, @@70000] } }")],
  ["port 0", "PORT", inRule("{ action: Allow, protocol: TCP, destination: { ports: [@@0] } }")],
  ["port 80.5", "PORT", inRule("{ action: Allow, protocol: TCP, destination: { ports: [@@80.5] } }")],
  ["port range 0:80", "PORT", inRule('{ action: Allow, protocol: TCP, destination: { ports: [@@"0:80"] } }')],
  ["a backward range", "PORT", inRule('{ action: Allow, protocol: TCP, destination: { ports: [@@"90:80"] } }')],
  ["a range with a dash", "PORT", inRule('{ action: Allow, protocol: TCP, destination: { ports: [@@"80-90"] } }')],
  ["a port of spaces", "PORT", inRule('{ action: Allow, protocol: TCP, destination: { ports: [@@" 80"] } }')],
  ["a port name with a space", "PORT", inRule("{ action: Allow, protocol: TCP, source: { ports: [@@web ui] } }")],
  [
    "a port name of 129 characters",
    "PORT",
    inRule(`{ action: Allow, protocol: TCP, source: { ports: [@@${"a".repeat(129)}] } }`),
  ],
  ["a named port with ICMP", "PORT", inRule("{ action: Allow, protocol: ICMP, source: { @@ports: [web] } }")],
  ["a named and a numeric port without a protocol", "PORT", inRule("{ action: Allow, source: { @@ports: [web, 1] } }")],
  ["a port that is true", "TYPE", inRule("{ action: Allow, protocol: TCP, destination: { ports: [@@true] } }")],
  ["ports without a protocol", "PORT", inRule("{ action: Allow, destination: { @@ports: [80] } }")],
  ["ports with ICMP", "PORT", inRule("{ action: Allow, protocol: ICMP, source: { @@notPorts: [80] } }")],
  ["ports with UDPLite", "PORT", inRule("{ action: Allow, protocol: UDPLite, source: { @@ports: [80] } }")],
  ["51 ports", "LIMIT", inRule(`{ action: Allow, protocol: TCP, source: { ports: @@[${"80, ".repeat(51)}] } }`)],
  ["a selector error in quotes", "SELECTOR", inRule(`{ action: Allow, source: { selector: "a @@= 'b'" } }`)],
  ["global() in a rule", "SELECTOR", inRule("{ action: Allow, source: { selector: a == 'b' && @@global() } }")],
  ["a namespaceSelector with a syntax error", "SELECTOR", inEntity("namespaceSelector: a @@= 'b'")],
  ["global() beside something", "SELECTOR", inEntity('namespaceSelector: "has(a) && @@global()"')],
  ["a namespaceSelector of 1025 characters", "LIMIT", inEntity(`namespaceSelector: @@has(${"a".repeat(1020)})`)],
  ["a namespaceSelector that is a mapping", "TYPE", inEntity("namespaceSelector: @@{ matchLabels: {} }")],
  ["an unknown field of serviceAccounts", "FIELD_UNKNOWN", inEntity("serviceAccounts: { @@name: a }")],
  ["a service account's name in capitals", "NAME", inEntity("serviceAccounts: { names: [a, @@A] }")],
  ["global() for service accounts", "SELECTOR", inEntity("serviceAccounts: { selector: @@global() }")],
  ["serviceAccounts that are a list", "TYPE", inEntity("serviceAccounts: @@[a]")],
  ["http that is a list", "TYPE", inRule("{ action: Allow, http: @@[GET] }")],
  ["an unknown field of http", "FIELD_UNKNOWN", inRule("{ action: Allow, http: { @@method: [GET] } }")],
  ["an unknown field of a path", "FIELD_UNKNOWN", inRule("{ action: Allow, http: { paths: [{ @@regex: /a }] } }")],
  ["http in a Deny rule", "VALUE", inRule("{ action: Deny, @@http: { methods: [GET] } }")],
  ["http in an egress rule", "VALUE", policy("  egress:\n    - { action: Allow, @@http: { methods: [GET] } }")],
  ["http over UDP", "VALUE", inRule("{ action: Allow, protocol: UDP, @@http: { methods: [GET] } }")],
  ["a method twice", "VALUE", inRule("{ action: Allow, http: { methods: [GET, @@GET] } }")],
  ["21 methods", "LIMIT", inRule(`{ action: Allow, http: { methods: @@[${"GET, ".repeat(21)}] } }`)],
  ["21 paths", "LIMIT", inRule(`{ action: Allow, http: { paths: @@[${"{ exact: /a }, ".repeat(21)}] } }`)],
  ["a path of both sorts", "VALUE", inRule("{ action: Allow, http: { paths: [@@{ exact: /a, prefix: /b }] } }")],
  ["a path of neither sort", "VALUE", inRule("{ action: Allow, http: { paths: [@@{}] } }")],
  ["a path without a slash", "VALUE", inRule("{ action: Allow, http: { paths: [{ exact: @@a }] } }")],
  ["a path with a query", "VALUE", inRule("{ action: Allow, http: { paths: [{ prefix: @@/a?b }] } }")],
  ["a path with a fragment", "VALUE", inRule("{ action: Allow, http: { paths: [{ prefix: @@/a#b }] } }")],
  ["a path with a space", "VALUE", inRule("{ action: Allow, http: { paths: [{ prefix: @@/a b }] } }")],
  [
    "valid http",
    "FEATURE",
    inRule("{ action: Allow, protocol: TCP, @@http: { methods: [GET], paths: [{ exact: / }] } }"),
  ],
  ["services without a name", "FIELD_MISSING", inEntity("services: @@{ namespace: b }")],
  ["an unknown field of services", "FIELD_UNKNOWN", inEntity("services: { name: a, namespace: b, @@port: 80 }")],
  ["an empty service name", "NAME", inEntity('services: { name: @@"", namespace: b }')],
  ["a service's namespace with a dot", "NAME", inEntity("services: { name: a, namespace: @@b.c }")],
  ["services without a namespace", "FIELD_MISSING", inEntity("services: @@{ name: a }")],
  ["services as an ingress destination", "VALUE", inRule(`{ action: Allow, destination: { @@${SERVICE} } }`)],
  ["services as an egress source", "VALUE", policy(`  egress:\n    - { action: Allow, source: { @@${SERVICE} } }`)],
  ["services beside selector", "VALUE", inEntity(`${SERVICE}, @@selector: all()`)],
  ["services beside notSelector", "VALUE", inEntity(`${SERVICE}, @@notSelector: all()`)],
  ["services beside namespaceSelector", "VALUE", inEntity(`${SERVICE}, @@namespaceSelector: all()`)],
  ["services beside serviceAccounts", "VALUE", inEntity(`${SERVICE}, @@serviceAccounts: { names: [a] }`)],
  ["services beside nets", "VALUE", inEntity(`${SERVICE}, @@nets: [10.0.0.0/8]`)],
  ["services beside notNets", "VALUE", inEntity(`${SERVICE}, @@notNets: [10.0.0.0/8]`)],
  ["services as a destination beside ports", "VALUE", toService("@@ports: [80]")],
  ["services as a destination beside notPorts", "VALUE", toService("@@notPorts: [80]")],
];

const names: BadDocument[] = [
  ["no metadata", "FIELD_MISSING", "@@apiVersion: projectcalico.org/v3\nkind: Tier\nspec: {}\n"],
  ["no name", "NAME", resource("GlobalNetworkPolicy", "@@{ labels: {} }", "{}")],
  ["an empty name", "NAME", resource("GlobalNetworkPolicy", '{ name: @@"" }', "{}")],
  ["a name that is a number", "TYPE", resource("GlobalNetworkPolicy", "{ name: @@7 }", "{}")],
  ["capitals in a name", "NAME", resource("HostEndpoint", "{ name: @@Eth0 }", '{ node: h, interfaceName: "*" }')],
  ["an underscore in a name", "NAME", resource("GlobalNetworkSet", "{ name: @@a_b }", "{}")],
  ["a policy name of three parts", "NAME", resource("GlobalNetworkPolicy", "{ name: @@a.b.c }", "{}")],
  ["a dot in a tier's name", "NAME", resource("Tier", "{ name: @@a.b }", "{}")],
  ["a name of 254 characters", "NAME", resource("GlobalNetworkSet", `{ name: @@${"a".repeat(254)} }`, "{}")],
  ["a label value that is a number", "TYPE", resource("GlobalNetworkSet", "{ name: a, labels: { v: @@1 } }", "{}")],
  ["a label value with a space", "VALUE", resource("GlobalNetworkSet", "{ name: a, labels: { v: @@a b } }", "{}")],
  [
    "a label value of 64 characters",
    "VALUE",
    resource("GlobalNetworkSet", `{ name: a, labels: { v: @@${"a".repeat(64)} } }`, "{}"),
  ],
  ["a label name with two slashes", "NAME", resource("GlobalNetworkSet", "{ name: a, labels: { @@a/b/c: x } }", "{}")],
  [
    "a label prefix in capitals",
    "NAME",
    resource("GlobalNetworkSet", "{ name: a, labels: { @@Example.com/b: x } }", "{}"),
  ],
  [
    "257 KiB of annotations",
    "LIMIT",
    resource("Tier", `{ name: a, annotations: @@{ a: ${"x".repeat(257 * 1024)} } }`, "{}"),
  ],
  [
    "a placeholder",
    "PLACEHOLDER",
    resource("HostEndpoint", "{ name: @@<name of endpoint> }", '{ node: h, interfaceName: "*" }'),
  ],
  ["a placeholder in a rule", "PLACEHOLDER", inRule("{ action: Allow, source: { nets: [@@<your net>/24] } }")],
];

const endpoints: BadDocument[] = [
  ["no node", "FIELD_MISSING", resource("HostEndpoint", "{ name: a }", "@@{ interfaceName: eth0 }")],
  ["an empty node", "VALUE", resource("HostEndpoint", "{ name: a }", '{ node: @@"", interfaceName: eth0 }')],
  [
    "neither interface nor addresses",
    "VALUE",
    resource("HostEndpoint", "{ name: a }", "@@{ node: h, interfaceName: '' }"),
  ],
  [
    "an interface name of 16 characters",
    "VALUE",
    resource("HostEndpoint", "{ name: a }", "{ node: h, interfaceName: @@abcdefghijklmnop }"),
  ],
  ["an interface pattern", "VALUE", resource("HostEndpoint", "{ name: a }", '{ node: h, interfaceName: @@"eth*" }')],
  [
    "an expected IP with a length",
    "CIDR",
    resource("HostEndpoint", "{ name: a }", "{ node: h, expectedIPs: [@@10.0.0.1/32] }"),
  ],
  [
    "an expected IP that is none",
    "CIDR",
    resource("HostEndpoint", "{ name: a }", "{ node: h, expectedIPs: [10.0.0.1, @@10.0.0] }"),
  ],
  [
    "a port name of 16 characters",
    "NAME",
    endpointWithPort("{ name: @@abcdefghijklmnop, protocol: TCP, port: 1 }"),
  ],
  [
    "port 0 of an endpoint",
    "PORT",
    endpointWithPort("{ name: a, protocol: TCP, port: @@0 }"),
  ],
  [
    "an ICMP port",
    "VALUE",
    endpointWithPort("{ name: a, protocol: @@ICMP, port: 1 }"),
  ],
];

const others: BadDocument[] = [
  [
    "a set with an invalid net",
    "CIDR",
    resource("GlobalNetworkSet", "{ name: a }", "{ nets: [10.0.0.1, @@10.0.0.256] }"),
  ],
  [
    "a set with Calico's namespace label",
    "VALUE",
    resource("GlobalNetworkSet", "{ name: a, labels: { @@projectcalico.org/namespace: x } }", "{}"),
  ],
  ["a tier's default action Allow", "VALUE", resource("Tier", "{ name: a }", "{ defaultAction: @@Allow }")],
  ["another order for `default`", "VALUE", resource("Tier", "{ name: default }", "{ order: @@0 }")],
  ["another action for `kube-admin`", "VALUE", resource("Tier", "{ name: kube-admin }", "{ defaultAction: @@Deny }")],
  [
    "a Felix deny action",
    "VALUE",
    resource("FelixConfiguration", "{ name: default }", "{ iptablesFilterDenyAction: @@Accept }"),
  ],
  [
    "a Felix field in two spellings",
    "VALUE",
    resource(
      "FelixConfiguration",
      "{ name: default }",
      '{ failsafeInboundHostPorts: [], @@FailsafeInboundHostPorts: ["tcp:22"] }',
    ),
  ],
  ["an old Kubernetes NetworkPolicy", "KIND_UNKNOWN", "apiVersion: extensions/v1beta1\nkind: @@NetworkPolicy\n"],
  ["a Cilium policy", "KIND_UNKNOWN", "apiVersion: cilium.io/v2\nkind: @@CiliumNetworkPolicy\n"],
  ["an admin policy", "KIND_UNKNOWN", "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: @@AdminNetworkPolicy\n"],
  ["a misspelled group", "KIND_UNKNOWN", "apiVersion: projectcalico.com/v3\nkind: @@GlobalNetworkPolicy\n"],
  ["a misspelled kind", "KIND_UNKNOWN", "apiVersion: projectcalico.org/v3\nkind: @@HostEndPoint\n"],
  ["an unknown version", "KIND_UNKNOWN", "apiVersion: projectcalico.org/v4\nkind: @@Tier\n"],
  ["no kind", "KIND_UNKNOWN", "@@podSelector: {}\ningress: []\n"],
  ["no apiVersion", "KIND_UNKNOWN", "@@kind: Tier\n"],
  ["a document that is text", "TYPE", "@@hello\n"],
  ["a document that is a list", "TYPE", "@@- a\n"],
  ["list items that are text", "TYPE", "apiVersion: v1\nkind: List\nitems: @@none\n"],
  ["a bad item of a list", "KIND_UNKNOWN", "apiVersion: v1\nkind: List\nitems:\n  - kind: Tier\n    apiVersion: @@7\n"],
];

const yaml: BadDocument[] = [
  ["a bracket that is not closed", "YAML_SYNTAX", "apiVersion: [1@@\n"],
  ["wrong indentation", "YAML_SYNTAX", "a:\n    b: 1\n@@  c: 1\n"],
  ["a tab as indentation", "YAML_SYNTAX", "a:\n@@\tb: 1\n"],
  ["a key twice", "YAML_SYNTAX", "apiVersion: v1\nkind: Pod\n@@kind: Tier\n"],
  ["a key twice in a rule", "YAML_SYNTAX", inRule("{ action: Allow, protocol: TCP, @@action: Deny }")],
  ["a merge key", "YAML_SYNTAX", "a: &a { b: 1 }\nc:\n  @@<<: *a\n"],
  ["an alias without an anchor", "YAML_SYNTAX", "a: @@*b\n"],
  ["a key that is a list", "YAML_SYNTAX", "? @@[a]\n: 1\n"],
  ["a tag nobody knows", "YAML_SYNTAX", "a: @@!secret b\n"],
  ["an alias of itself", "YAML_LIMIT", "a: &a [@@*a]\n"],
];

describe("a bad document is refused with a code, at its place, and yields nothing", () => {
  describe.each([
    ["in a rule", rules],
    ["in metadata", names],
    ["in a host endpoint", endpoints],
    ["in another kind", others],
    ["in the YAML", yaml],
  ])("%s", (_where, table) => {
    it.each(table)("%s: RAMPART_E_%s", (_what, code, source) => expectRefused(code, source));
  });

  it("every unknown field of a rule is named, each at its own place", () => {
    const { errors } = loadText(inRule("{ action: Allow, a: 1, b: 2 }"));
    expect(errors.map((error) => error.location?.column)).toEqual([24, 30]);
  });

  it("an unreadable protocol is one error, not three", () => {
    const { errors } = loadText(inRule("{ action: Allow, protocol: TPC, destination: { ports: [80] } }"));
    expect(errors.map((error) => error.code)).toEqual(["RAMPART_E_VALUE"]);
  });
});
