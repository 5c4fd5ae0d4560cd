import { describe, expect, it } from "vitest";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Direction, Policy, ResourceSet, WorkloadEndpoint } from "../../src/resources/types.ts";
import {
  hostEndpoint,
  inNamespace,
  kubernetesPolicy,
  networkSet,
  NODE,
  packet,
  policy,
  port,
  PROTOCOL,
  resourceSet,
  tier,
  workloadEndpoint,
} from "./build.ts";
import type { PolicyOptions, SetOptions } from "./build.ts";
import { said } from "./said.ts";

const { tcp, icmp } = PROTOCOL;
const client = workloadEndpoint({ name: "client", labels: { run: "client" }, addresses: ["10.65.0.1"] });
const server = workloadEndpoint({
  name: "server",
  labels: { run: "server" },
  addresses: ["10.65.0.2"],
  ports: [port("http", 8080)],
});
const other = workloadEndpoint({
  name: "other",
  namespace: "shop",
  labels: { run: "client", "pcns.team": "a" },
  addresses: ["10.65.1.1"],
});
const host = hostEndpoint({ name: "host", labels: { run: "client" }, expectedIPs: ["192.0.2.10"] });

function pods(options: SetOptions): ResourceSet {
  return resourceSet({ workloadEndpoints: [client, server, other], hostEndpoints: [host], ...options });
}

function decide(set: ResourceSet, on: WorkloadEndpoint, direction: Direction, what: PolicyPacket): string {
  return said(evaluateEndpoint(set, NODE, on, "normal", direction, what));
}

const fromTo = (from: string, to: string, portNumber = 80): PolicyPacket => packet({ from, to, port: portNumber });
const clientToServer = fromTo("10.65.0.1", "10.65.0.2");
const otherToServer = fromTo("10.65.1.1", "10.65.0.2");
const k8s = "projectcalico.org/orchestrator == 'k8s'";

function peer(selector: string, namespace = "default"): string {
  return inNamespace(`(${selector}) && ${k8s}`, namespace);
}

describe("a workload without policies (SEMANTICS 3.5)", () => {
  it("is decided by its profiles: its namespace's allows everything", () => {
    expect(decide(pods({}), server, "ingress", clientToServer)).toBe("allow profile");
    expect(decide(pods({}), server, "egress", clientToServer)).toBe("allow profile");
  });

  it("and without profiles is denied everything", () => {
    const bare = workloadEndpoint({ profiles: [] });
    expect(decide(pods({}), bare, "ingress", clientToServer)).toBe("deny no-policy");
  });

  it("has no failsafe ports (SEMANTICS 3.2)", () => {
    const set = pods({ policies: [kubernetesPolicy({ types: ["ingress", "egress"] })] });
    expect(decide(set, server, "ingress", fromTo("10.65.0.1", "10.65.0.2", 22))).toBe("deny end-of-tier default");
  });
});

describe("Kubernetes policies (SEMANTICS 4)", () => {
  const isolate = kubernetesPolicy({ name: "isolate", selector: "run == 'server'" });

  it("isolate the pods they select, in the directions of policyTypes only", () => {
    const set = pods({ policies: [isolate] });
    expect(decide(set, server, "ingress", clientToServer)).toBe("deny end-of-tier default");
    expect(decide(set, server, "egress", fromTo("10.65.0.2", "10.65.0.1"))).toBe("allow profile");
    expect(decide(set, client, "ingress", fromTo("10.65.0.2", "10.65.0.1"))).toBe("allow profile");
    const egressOnly = pods({ policies: [kubernetesPolicy({ types: ["egress"] })] });
    expect(decide(egressOnly, server, "ingress", clientToServer)).toBe("allow profile");
  });

  it("select no pod of another namespace", () => {
    const set = pods({ policies: [kubernetesPolicy({ namespace: "shop" })] });
    expect(decide(set, server, "ingress", clientToServer)).toBe("allow profile");
    expect(decide(set, other, "ingress", clientToServer)).toBe("deny end-of-tier default");
  });

  it("add up: what any of them allows is allowed, in any order", () => {
    const allow = kubernetesPolicy({ name: "z-allow", ingress: [{ source: { selector: peer("run == 'client'") } }] });
    for (const policies of [
      [isolate, allow],
      [{ ...isolate, name: "zz" }, { ...allow, name: "a" }],
    ]) {
      expect(decide(pods({ policies }), server, "ingress", clientToServer)).toMatch(/^allow policy/);
    }
  });

  it("S1 and S6: a global policy without order opens what the default deny isolates (order 1000)", () => {
    const echoFromKnown = { protocol: icmp, icmp: { type: 8 }, source: { selector: "all()" } };
    const ping = policy({ name: "allow-ping", ingress: [echoFromKnown] });
    const set = pods({ policies: [isolate, ping] });
    const echo = packet({ from: "10.65.0.1", to: "10.65.0.2", icmp: [8, 0] });
    expect(decide(set, server, "ingress", echo)).toBe("allow policy default/allow-ping/ingress[0]");
    expect(decide(set, server, "ingress", clientToServer)).toBe("deny end-of-tier default");
    const unknown = packet({ from: "198.51.100.1", to: "10.65.0.2", icmp: [8, 0] });
    expect(decide(set, server, "ingress", unknown)).toBe("deny end-of-tier default");
  });

  it("S8 and S9: a global deny of order 2000 is asked after them", () => {
    const global = policy({ name: "global-deny", order: 2000, ingress: [{ action: "Deny" }] });
    const web = kubernetesPolicy({ name: "web", ingress: [{ protocol: tcp, destination: { ports: [80] } }] });
    const set = pods({ policies: [global, web] });
    expect(decide(set, server, "ingress", clientToServer)).toBe(
      "allow policy default/default/knp.default.web/ingress[0]",
    );
    expect(decide(set, server, "ingress", fromTo("10.65.0.1", "10.65.0.2", 81))).toBe(
      "deny policy default/global-deny/ingress[0]",
    );
  });

  it("at order 1000 take turns with other kinds by name (trap 50)", () => {
    const knp = kubernetesPolicy({ name: "b", ingress: [{}] });
    const before = policy({ name: "a", order: 1000, ingress: [{ action: "Deny" }] });
    const after = policy({ name: "c", order: 1000, ingress: [{ action: "Deny" }] });
    const beside = (gnp: Policy): string => decide(pods({ policies: [knp, gnp] }), server, "ingress", clientToServer);
    expect(beside(before)).toBe("deny policy default/a/ingress[0]");
    expect(beside(after)).toBe("allow policy default/default/knp.default.b/ingress[0]");
  });

  it("know peers by pod only: no HostEndpoint and no NetworkSet is one (trap 43)", () => {
    const set = pods({
      policies: [kubernetesPolicy({ name: "p", ingress: [{ source: { selector: `has(run) && ${k8s}` } }] })],
      networkSets: [networkSet("set", { run: "client" }, ["198.51.100.0/24"], "default")],
    });
    expect(decide(set, server, "ingress", otherToServer)).toMatch(/^allow policy/);
    expect(decide(set, server, "ingress", fromTo("192.0.2.10", "10.65.0.2"))).toBe("deny end-of-tier default");
    expect(decide(set, server, "ingress", fromTo("198.51.100.1", "10.65.0.2"))).toBe("deny end-of-tier default");
  });

  it("S34: pod and namespace selectors in one item are both, in two items either (trap 39)", () => {
    const both = kubernetesPolicy({ ingress: [{ source: { selector: "pcns.team == 'a' && run == 'server'" } }] });
    const either = kubernetesPolicy({
      ingress: [{ source: { selector: "pcns.team == 'a'" } }, { source: { selector: peer("run == 'server'") } }],
    });
    expect(decide(pods({ policies: [both] }), server, "ingress", otherToServer)).toBe("deny end-of-tier default");
    expect(decide(pods({ policies: [either] }), server, "ingress", otherToServer)).toMatch(/^allow policy/);
  });

  it("S13: an ipBlock matches pods too, less its exceptions", () => {
    const block = { nets: ["10.65.0.0/16"], notNets: ["10.65.1.0/24"] };
    const set = pods({ policies: [kubernetesPolicy({ ingress: [{ source: block }] })] });
    expect(decide(set, server, "ingress", clientToServer)).toMatch(/^allow policy/);
    expect(decide(set, server, "ingress", otherToServer)).toBe("deny end-of-tier default");
  });

  it("with ports allow no ICMP, without ports they do (trap 41)", () => {
    const echo = packet({ from: "10.65.0.1", to: "10.65.0.2", icmp: [8, 0] });
    const ports = pods({ policies: [kubernetesPolicy({ ingress: [{ protocol: tcp }] })] });
    expect(decide(ports, server, "ingress", echo)).toBe("deny end-of-tier default");
    const all = pods({ policies: [kubernetesPolicy({ ingress: [{}] })] });
    expect(decide(all, server, "ingress", echo)).toMatch(/^allow policy/);
  });

  it("resolve a named port on the destination pod, per protocol (trap 42)", () => {
    const named = { protocol: tcp, destination: { ports: ["http"] } };
    const set = pods({ policies: [kubernetesPolicy({ ingress: [named], egress: [named] })] });
    expect(decide(set, server, "ingress", fromTo("10.65.0.1", "10.65.0.2", 8080))).toMatch(/^allow policy/);
    expect(decide(set, server, "ingress", clientToServer)).toBe("deny end-of-tier default");
    expect(decide(set, client, "egress", fromTo("10.65.0.1", "10.65.0.2", 8080))).toMatch(/^allow policy/);
    expect(decide(set, client, "egress", fromTo("10.65.0.1", "198.51.100.1", 8080))).toBe("deny end-of-tier default");
  });
});

describe("Calico policies on workloads (SEMANTICS 1.9, 3.1)", () => {
  it("S6: a global policy without selector isolates pods of every namespace and hosts (trap 3)", () => {
    const set = pods({ policies: [policy({ ingress: [{ protocol: icmp }] })] });
    for (const pod of [server, other]) {
      expect(decide(set, pod, "ingress", clientToServer)).toBe("deny end-of-tier default");
    }
    const onHost = evaluateEndpoint(set, NODE, host, "normal", "ingress", clientToServer);
    expect(said(onHost)).toBe("deny end-of-tier default");
  });

  it("S19: a namespaced rule's selector means its own namespace; nets alone mean anybody (trap 7)", () => {
    const np = (source: NonNullable<PolicyOptions["ingress"]>[number]["source"]): ResourceSet =>
      pods({ policies: [policy({ name: "np", namespace: "default", ingress: [{ source: source ?? {} }] })] });
    const own = { selector: inNamespace("run == 'client'", "default") };
    expect(decide(np(own), server, "ingress", clientToServer)).toBe("allow policy default/default/np/ingress[0]");
    expect(decide(np(own), server, "ingress", otherToServer)).toBe("deny end-of-tier default");
    expect(decide(np({ nets: ["10.65.1.0/24"] }), server, "ingress", otherToServer)).toMatch(/^allow policy/);
  });

  it("row 61: Pass in one tier, then Allow in the default tier; row 64: a tier that passes by default", () => {
    const tiers = [tier("t1", 1)];
    const passing = policy({ name: "pass", tier: "t1", ingress: [{ action: "Pass" }] });
    const np = policy({ name: "np", namespace: "default", ingress: [{}] });
    const passed = pods({ tiers, policies: [passing, np] });
    expect(decide(passed, server, "ingress", clientToServer)).toBe("allow policy default/default/np/ingress[0]");
    const silent = policy({ name: "silent", tier: "t1", types: ["ingress", "egress"] });
    for (const [defaultAction, expected] of [
      ["Pass", "allow profile"],
      ["Deny", "deny end-of-tier t1"],
    ] as const) {
      const set = pods({ tiers: [tier("t1", 1, defaultAction)], policies: [silent] });
      expect(decide(set, server, "ingress", clientToServer)).toBe(expected);
      expect(decide(set, server, "egress", clientToServer)).toBe(expected);
    }
  });

  it("preDNAT and doNotTrack policies have no effect on a workload", () => {
    const policies = [
      policy({ name: "a", preDNAT: true, ingress: [{ action: "Deny" }] }),
      policy({ name: "b", doNotTrack: true, ingress: [{ action: "Deny" }] }),
    ];
    expect(decide(pods({ policies }), server, "ingress", clientToServer)).toBe("allow profile");
  });

  it("row 83: denies per peer, whatever the text of the selectors", () => {
    const denyClient = { action: "Deny", source: { selector: "run == 'client'" } } as const;
    for (const selector of ["all()", "", "has(run)"]) {
      const set = pods({
        policies: [
          policy({ name: "d", order: 100, selector, ingress: [denyClient] }),
          policy({ name: "default-allow", order: 200, ingress: [{}] }),
        ],
      });
      expect(decide(set, server, "ingress", clientToServer)).toBe("deny policy default/d/ingress[0]");
      expect(decide(set, server, "ingress", fromTo("198.51.100.1", "10.65.0.2"))).toMatch(/^allow policy/);
    }
  });
});
