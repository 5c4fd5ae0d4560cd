import { describe, expect, it } from "vitest";
import { documents, said, warningsOf } from "./said.ts";

const HOST = "HostEndpoint web [role: web] { node: node-a, interfaceName: eth0 }";
const POD =
  "WorkloadEndpoint blue/pod [app: shop] " +
  "{ node: node-a, interfaceName: cali1, ipNetworks: [10.0.0.1/32], orchestrator: k8s }";
const policy = (spec: string): string => `GlobalNetworkPolicy p { ${spec} }`;

describe("a policy that chooses no endpoint", () => {
  it("is reported at the policy, with what to do", () => {
    const text = documents(HOST, policy("selector: role != 'web'"));
    const [warning, ...others] = warningsOf(text);
    expect(others).toEqual([]);
    expect(warning).toMatchObject({
      code: "RAMPART_W_SELECTS_NOTHING",
      message: "GlobalNetworkPolicy p: it chooses no endpoint and has no effect",
      location: { line: 6 },
    });
    expect(warning?.hint).toMatch(/selectors/);
  });

  it.each([
    ["in a namespace without endpoints", "NetworkPolicy red/p { ingress: [] }"],
    ["of Kubernetes, for pods there are none of", "KubernetesPolicy red/p { podSelector: {} }"],
    ["of hosts only, by a namespaceSelector", policy("namespaceSelector: projectcalico.org/name == 'red'")],
    ["staged", "StagedGlobalNetworkPolicy p { selector: role != 'web' && !has(app) }"],
  ])("%s", (_, line) => {
    expect(said(documents(HOST, POD, line))).toContain("SELECTS_NOTHING");
  });

  it("is any preDNAT or doNotTrack policy for workloads, on a host that has HostEndpoints", () => {
    for (const flag of ["preDNAT", "doNotTrack"]) {
      const line = policy(`selector: app == 'shop', applyOnForward: true, ${flag}: true`);
      expect(said(documents(HOST, POD, line))).toEqual(["SELECTS_NOTHING"]);
      expect(said(documents(POD, line))).toEqual([]);
    }
  });
});

describe("no warning about", () => {
  it.each([
    ["a policy without a selector", policy("order: 1")],
    ["one that chooses a host", policy("selector: role == 'web'")],
    ["one that chooses a pod", "KubernetesPolicy blue/p { podSelector: { matchLabels: { app: shop } } }"],
    ["one for pods of any namespace", policy("namespaceSelector: all()")],
    ["a negation that a missing label satisfies", policy("selector: nobody != 'x'")],
  ])("%s", (_, line) => {
    expect(said(documents(HOST, POD, line))).toEqual([]);
  });

  it("any policy, while there is no endpoint at all", () => {
    expect(said(documents(policy("selector: role == 'web'"), "Namespace blue"))).toEqual([]);
  });

  it("a policy for an endpoint that stands behind many others", () => {
    const many = Array.from({ length: 50 }, (_, i) => HOST.replace("web [role: web]", `a${i} [role: other]`));
    expect(said(documents(...many, HOST, policy("selector: role contains 'we'")))).toEqual([]);
  });
});
