import { describe, it } from "vitest";
import type { BadDocument } from "./refused.ts";
import { expectRefused } from "./refused.ts";
import { policy, resource } from "./temporary-folder.ts";

const policies: BadDocument[] = [
  [
    "no spec",
    "FIELD_MISSING",
    "@@apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: { name: p }\n",
  ],
  ["an empty spec field", "TYPE", resource("GlobalNetworkPolicy", "{ name: p }", "").replace("spec:", "@@spec:")],
  ["a type nobody knows", "VALUE", policy("  types: [Ingress, @@egress]")],
  ["a type twice", "VALUE", policy("  types: [Ingress, @@Ingress]")],
  ["three types", "LIMIT", policy("  types: @@[Ingress, Egress, Ingress]")],
  ["an order that is text", "TYPE", policy('  order: @@"10"')],
  ["an infinite order", "TYPE", policy("  order: @@.inf")],
  ["a selector that is a list", "TYPE", policy("  selector: @@[a]")],
  ["a selector syntax error", "SELECTOR", policy("  selector: role == @@web")],
  ["a selector error in a block", "SELECTOR", policy("  selector: |\n    role @@= 'web'")],
  ["a selector error in a folded block", "SELECTOR", policy("  selector: >-\n    role @@= 'web'")],
  ["global() in the policy's selector", "SELECTOR", policy("  selector: has(a) || @@global()")],
  ["a selector of 1025 characters", "LIMIT", policy(`  selector: @@has(${"a".repeat(1020)})`)],
  ["1025 rules", "LIMIT", policy(`  egress: @@[${"{ action: Allow }, ".repeat(1025)}]`)],
  ["ingress that is text", "TYPE", policy("  ingress: @@Allow")],
  ["preDNAT without applyOnForward", "VALUE", policy("  @@preDNAT: true")],
  ["doNotTrack without applyOnForward", "VALUE", policy("  @@doNotTrack: true\n  applyOnForward: false")],
  ["preDNAT and doNotTrack", "VALUE", policy("  preDNAT: true\n  @@doNotTrack: true\n  applyOnForward: true")],
  ["preDNAT for egress", "VALUE", policy("  preDNAT: true\n  applyOnForward: true\n  types: [Ingress, @@Egress]")],
  [
    "preDNAT with egress rules",
    "VALUE",
    policy("  preDNAT: true\n  applyOnForward: true\n  types: [Ingress]\n  @@egress: [{ action: Allow }]"),
  ],
  ["preDNAT that is text", "TYPE", policy('  preDNAT: @@"true"')],
  ["global() in namespaceSelector", "SELECTOR", policy("  namespaceSelector: @@global()")],
  ["a namespaceSelector of 1025 characters", "LIMIT", policy(`  namespaceSelector: @@has(${"a".repeat(1020)})`)],
  ["global() in serviceAccountSelector", "SELECTOR", policy("  serviceAccountSelector: @@global()")],
  ["a serviceAccountSelector with a syntax error", "SELECTOR", policy("  serviceAccountSelector: a @@= 'b'")],
  ["an unknown performance hint", "VALUE", policy("  performanceHints: [@@Fast]")],
  ["applyOnForward that is text", "TYPE", policy('  applyOnForward: @@"yes"')],
  ["a tier that does not exist", "TIER_MISSING", policy("  order: 1\n  tier: @@nowhere")],
];

/** A Kubernetes NetworkPolicy whose spec is `spec`, in flow style. */
function kubernetesPolicy(spec: string): string {
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p }\nspec: ${spec}\n`;
}

function inPeer(peer: string): string {
  return kubernetesPolicy(`{ ingress: [{ from: [${peer}] }] }`);
}

function inPort(port: string): string {
  return kubernetesPolicy(`{ egress: [{ ports: [${port}] }] }`);
}

const kubernetes: BadDocument[] = [
  ["no spec", "FIELD_MISSING", "@@apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: p }\n"],
  ["a name in capitals", "NAME", kubernetesPolicy("{}").replace("name: p", "name: @@P")],
  ["a type nobody knows", "VALUE", kubernetesPolicy("{ policyTypes: [@@ingress] }")],
  ["a type twice", "VALUE", kubernetesPolicy("{ policyTypes: [Egress, @@Egress] }")],
  ["an empty rule", "TYPE", kubernetesPolicy("{ ingress: [@@null] }")],
  ["rules that are text", "TYPE", kubernetesPolicy("{ egress: @@all }")],
  ["to in an ingress rule", "FIELD_UNKNOWN", kubernetesPolicy("{ ingress: [{ @@to: [] }] }")],
  ["from in an egress rule", "FIELD_UNKNOWN", kubernetesPolicy("{ egress: [{ @@from: [] }] }")],
  ["an action in a rule", "FIELD_UNKNOWN", kubernetesPolicy("{ ingress: [{ @@action: Allow }] }")],
  ["an unknown field in a peer", "FIELD_UNKNOWN", inPeer("{ @@pods: {} }")],
  ["labels without matchLabels", "FIELD_UNKNOWN", inPeer("{ podSelector: { @@app: web } }")],
  ["labels of the subject without matchLabels", "FIELD_UNKNOWN", kubernetesPolicy("{ podSelector: { @@app: web } }")],
  ["a podSelector that is text", "TYPE", kubernetesPolicy("{ podSelector: @@web }")],
  ["a label name with a space", "NAME", kubernetesPolicy("{ podSelector: { matchLabels: { @@a b: c } } }")],
  ["a label value with a space", "VALUE", kubernetesPolicy("{ podSelector: { matchLabels: { a: @@b c } } }")],
  ["a label value that is true", "TYPE", kubernetesPolicy("{ podSelector: { matchLabels: { a: @@true } } }")],
  [
    "an expression without a key",
    "FIELD_MISSING",
    inPeer("{ podSelector: { matchExpressions: [@@{ operator: Exists }] } }"),
  ],
  [
    "an operator nobody knows",
    "VALUE",
    inPeer("{ podSelector: { matchExpressions: [{ key: a, operator: @@Equals }] } }"),
  ],
  ["In without values", "FIELD_MISSING", inPeer("{ podSelector: { matchExpressions: [@@{ key: a, operator: In }] } }")],
  [
    "NotIn of nothing",
    "FIELD_MISSING",
    inPeer("{ namespaceSelector: { matchExpressions: [@@{ key: a, operator: NotIn, values: [] }] } }"),
  ],
  [
    "Exists with values",
    "VALUE",
    inPeer("{ podSelector: { matchExpressions: [{ key: a, operator: Exists, @@values: [b] }] } }"),
  ],
  [
    "DoesNotExist with values",
    "VALUE",
    inPeer("{ podSelector: { matchExpressions: [{ key: a, operator: DoesNotExist, @@values: [b] }] } }"),
  ],
  [
    "a key in an expression that is no label name",
    "NAME",
    inPeer("{ podSelector: { matchExpressions: [{ key: @@a/b/c, operator: Exists }] } }"),
  ],
  [
    "a value in an expression that is no label value",
    "VALUE",
    inPeer('{ podSelector: { matchExpressions: [{ key: a, operator: In, values: [@@"b\'c"] }] } }'),
  ],
  [
    "an unknown field in an expression",
    "FIELD_UNKNOWN",
    inPeer("{ podSelector: { matchExpressions: [{ key: a, operator: Exists, @@value: b }] } }"),
  ],
  ["an ipBlock without cidr", "FIELD_MISSING", inPeer("{ ipBlock: @@{ except: [] } }")],
  ["an ipBlock that is no prefix", "CIDR", inPeer("{ ipBlock: { cidr: @@10.0.0.0/33 } }")],
  ["an unknown field in an ipBlock", "FIELD_UNKNOWN", inPeer("{ ipBlock: { cidr: 10.0.0.0/8, @@not: [] } }")],
  [
    "an except outside its block",
    "CIDR",
    inPeer("{ ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16, @@11.0.0.0/16] } }"),
  ],
  ["an except as large as its block", "CIDR", inPeer("{ ipBlock: { cidr: 10.0.0.0/8, except: [@@10.0.0.0/8] } }")],
  ["an except of the other family", "CIDR", inPeer('{ ipBlock: { cidr: 0.0.0.0/0, except: [@@"::/1"] } }')],
  ["an except that is no prefix", "CIDR", inPeer("{ ipBlock: { cidr: 10.0.0.0/8, except: [@@x] } }")],
  ["a protocol in lower case", "VALUE", inPort("{ protocol: @@tcp }")],
  ["protocol ICMP", "VALUE", inPort("{ protocol: @@ICMP }")],
  ["an unknown field in a port", "FIELD_UNKNOWN", inPort("{ @@ports: 80 }")],
  ["port 0", "PORT", inPort("{ port: @@0 }")],
  ["port 65536", "PORT", inPort("{ port: @@65536 }")],
  ["port 80.5", "PORT", inPort("{ port: @@80.5 }")],
  ["a port name of 16 characters", "PORT", inPort(`{ port: @@${"a".repeat(16)} }`)],
  ["a port range with a dash", "PORT", inPort('{ port: @@"80-90" }')],
  ["an endPort without a port", "PORT", inPort("{ @@endPort: 90 }")],
  ["an endPort of a named port", "PORT", inPort("{ port: web, @@endPort: 90 }")],
  ["an endPort below its port", "PORT", inPort("{ port: 80, endPort: @@79 }")],
  ["an endPort above 65535", "PORT", inPort("{ port: 80, endPort: @@65536 }")],
  ["an empty port", "TYPE", inPort("@@null")],
];

const STAGED = "StagedGlobalNetworkPolicy";

const namespaced: BadDocument[] = [
  ["a namespace in capitals", "NAME", resource("NetworkPolicy", "{ name: p, namespace: @@Shop }", "{}")],
  ["a namespace with a dot", "NAME", resource("NetworkPolicy", "{ name: p, namespace: @@a.b }", "{}")],
  [
    "a namespace of 64 characters",
    "NAME",
    resource("NetworkPolicy", `{ name: p, namespace: @@${"a".repeat(64)} }`, "{}"),
  ],
  ["a NetworkPolicy's name of three parts", "NAME", resource("NetworkPolicy", "{ name: @@a.b.c }", "{}")],
  [
    "a NetworkPolicy's selector with global()",
    "SELECTOR",
    resource("NetworkPolicy", "{ name: p }", "{ selector: @@global() }"),
  ],
  [
    "a NetworkPolicy's tier that does not exist",
    "TIER_MISSING",
    resource("NetworkPolicy", "{ name: p }", "{ tier: @@nowhere }"),
  ],
  ["a staged action nobody knows", "VALUE", resource(STAGED, "{ name: p }", "{ stagedAction: @@set }")],
  ["a bad rule of a staged policy", "VALUE", resource(STAGED, "{ name: p }", "{ ingress: [{ action: @@Accept }] }")],
  [
    "a deletion with a selector",
    "VALUE",
    resource(STAGED, "{ name: p }", "{ stagedAction: Delete, @@selector: all() }"),
  ],
  [
    "a deletion with rules",
    "VALUE",
    resource("StagedNetworkPolicy", "{ name: p }", "{ stagedAction: Delete, @@egress: [{ action: Deny }] }"),
  ],
  [
    "a deletion with an order",
    "VALUE",
    resource("StagedNetworkPolicy", "{ name: p }", "{ stagedAction: Delete, @@order: 0 }"),
  ],
  [
    "a deletion with types",
    "VALUE",
    resource("StagedKubernetesNetworkPolicy", "{ name: p }", "{ stagedAction: Delete, @@policyTypes: [Ingress] }"),
  ],
];

describe("a bad policy is refused with a code, at its place, and yields nothing", () => {
  describe.each([
    ["a global policy", policies],
    ["a namespaced or staged policy", namespaced],
    ["a Kubernetes policy", kubernetes],
  ])("%s", (_kind, table) => {
    it.each(table)("%s: RAMPART_E_%s", (_what, code, source) => expectRefused(code, source));
  });
});
