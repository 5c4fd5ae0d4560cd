import { describe, expect, it } from "vitest";
import { documents, said, warningsOf } from "./said.ts";

const INVENTORY = [
  "HostEndpoint web [role: web] { node: node-a, interfaceName: eth0 }",
  "Namespace blue [team: shop]",
  "Namespace empty [team: nobody-yet]",
  "ServiceAccount blue/robot [trust: high]",
  "WorkloadEndpoint blue/pod [app: shop] " +
    "{ node: node-a, interfaceName: cali1, ipNetworks: [10.0.0.1/32], orchestrator: k8s }",
  "GlobalNetworkSet office [group: office] { nets: [192.0.2.0/24] }",
];
const from = (source: string): string =>
  `GlobalNetworkPolicy p { ingress: [{ action: Allow, source: { ${source} } }] }`;
const saidOf = (line: string): string[] => said(documents(...INVENTORY, line));

describe("a selector for a label nobody has", () => {
  it("is reported at its rule", () => {
    const warnings = warningsOf(documents(...INVENTORY, from("selector: rle == 'web'")));
    expect(warnings).toMatchObject([
      {
        code: "RAMPART_W_UNKNOWN_LABEL",
        message:
          "GlobalNetworkPolicy p: the source of a rule asks for the label rle, which no endpoint, network set or " +
          "namespace has",
        location: { line: 31, column: 19 },
      },
    ]);
  });

  it("is reported with its value, if others have the label with other values", () => {
    const [{ message } = { message: "" }] = warningsOf(documents(...INVENTORY, from("selector: role == 'wbe'")));
    expect(message).toContain(`the label role == "wbe"`);
  });

  it("is reported at the policy, where it is the policy's own, next to the policy's having no endpoint", () => {
    expect(saidOf("GlobalNetworkPolicy p { selector: rle == 'web' }")).toEqual(["SELECTS_NOTHING", "UNKNOWN_LABEL"]);
  });

  it.each([
    ["has", "selector: has(rle)"],
    ["in, if nobody has any of the values", "selector: \"role in { 'a', 'b' }\""],
    ["in an empty set", 'selector: "role in {}"'],
    ["contains", "selector: role contains 'x'"],
    ["starts with", "selector: role starts with 'x'"],
    ["ends with", "selector: role ends with 'x'"],
    ["beside other conditions", "selector: has(role) && has(rle)"],
    ["in every branch", "selector: has(rle) || role == 'wbe'"],
    ["of namespaces", "namespaceSelector: team == 'shpo'"],
    ["of a service account", "serviceAccounts: { selector: trust == 'low' }"],
    ["of a service account's name", "serviceAccounts: { names: [robt] }"],
  ])("%s", (_, source) => {
    expect(saidOf(from(source))).toContain("UNKNOWN_LABEL");
  });

  it("is called a namespace's where it is one", () => {
    const [{ message } = { message: "" }] = warningsOf(documents(...INVENTORY, from("namespaceSelector: has(tem)")));
    expect(message).toContain("the namespace label tem,");
  });

  it("is reported once for a written rule, however many rules it stands for", () => {
    const from = "from: [{ podSelector: { matchLabels: { a: b } } }]";
    const ports = "ports: [{ port: 80 }, { port: 53, protocol: UDP }]";
    const line = `KubernetesPolicy blue/p { podSelector: {}, ingress: [{ ${from}, ${ports} }] }`;
    expect(saidOf(line)).toEqual(["UNKNOWN_LABEL"]);
  });
});

describe("no warning about", () => {
  it.each([
    ["a label of a host", "selector: role == 'web'"],
    ["a label of a pod", "selector: app starts with 's'"],
    ["a label of a network set", "selector: has(group)"],
    ["a label of a namespace", "namespaceSelector: team == 'shop'"],
    ["a label of a namespace nothing is in yet", "namespaceSelector: team == 'nobody-yet'"],
    ["the name of a namespace", "namespaceSelector: kubernetes.io/metadata.name == 'empty'"],
    ["a service account", "serviceAccounts: { names: [robot], selector: trust == 'high' }"],
    ["one known value of several", "selector: \"role in { 'web', 'db' }\""],
    ["one known branch of several", "selector: role == 'web' || has(rle)"],
    ["!=", "selector: rle != 'x'"],
    ["not in", "selector: \"rle not in { 'x' }\""],
    ["!has", "selector: '!has(rle)'"],
    ["a negated comparison", "selector: '!(rle == ''x'')'"],
    ["notSelector", "notSelector: has(rle)"],
    ["all()", "selector: all()"],
    ["global()", "namespaceSelector: global()"],
  ])("%s", (_, source) => {
    expect(saidOf(from(source))).toEqual([]);
  });

  it("what Rampart adds to selectors of namespaced policies, even where there are no pods", () => {
    const rule = "ingress: [{ from: [{ podSelector: {} }] }]";
    const text = documents(INVENTORY[0] as string, `KubernetesPolicy blue/p { podSelector: {}, ${rule} }`);
    expect(said(text)).toEqual(["SELECTS_NOTHING"]);
  });

  it("rules of a direction the policy is not for", () => {
    const spec = "types: [Ingress], egress: [{ action: Allow, destination: { selector: has(rle) } }]";
    expect(saidOf(`GlobalNetworkPolicy p { ${spec} }`)).toEqual([]);
  });

  it("anything, while the inventory is empty", () => {
    expect(said(documents("Namespace blue", from("selector: has(rle)")))).toEqual([]);
  });
});
