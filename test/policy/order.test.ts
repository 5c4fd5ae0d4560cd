import { describe, expect, it } from "vitest";
import type { Direction, Endpoint, Policy, ResourceSet } from "../../src/resources/types.ts";
import type { PolicyClass } from "../../src/policy/decision.ts";
import { comparePolicies, governs, hasForwardPolicies, sortedTiers, tierPolicies } from "../../src/policy/order.ts";
import { hostEndpoint, kubernetesPolicy, policy, resourceSet, tier, workloadEndpoint } from "./build.ts";

const endpoint = hostEndpoint({ labels: { role: "web" } });

function names(policies: readonly Policy[]): string[] {
  return policies.map(({ name }) => name);
}

function listed(
  set: ResourceSet,
  policyClass: PolicyClass,
  direction: Direction,
  on: Endpoint = endpoint,
): string[] {
  return tierPolicies(set, on, policyClass, direction).map(
    ({ tier, policies }) => `${tier.name}: ${names(policies).join(" ")}`,
  );
}

describe("the order of policies (SEMANTICS 1.7)", () => {
  it("is by order; 0 and negative orders count, unset comes last", () => {
    const policies = [
      policy({ name: "unset" }),
      policy({ name: "ten", order: 10 }),
      policy({ name: "zero", order: 0 }),
      policy({ name: "half", order: 0.5 }),
      policy({ name: "minus", order: -1 }),
      policy({ name: "nine", order: 9 }),
    ];
    expect(names(policies.toSorted(comparePolicies))).toEqual(["minus", "zero", "half", "nine", "ten", "unset"]);
  });

  it("breaks ties by the text name/namespace/kind, bytewise (trap 50)", () => {
    const tied = ["a1", "b", "a", "a-b", "ab", "a.b"];
    const expected = ["a-b", "a.b", "a", "a1", "ab", "b"];
    for (const order of [undefined, 0, 10]) {
      const policies = tied.map((name) => policy({ name, order }));
      expect(names(policies.toSorted(comparePolicies))).toEqual(expected);
    }
  });

  it("breaks ties over all kinds: name first, then namespace, then kind (trap 50)", () => {
    const policies = [
      kubernetesPolicy({ name: "c", namespace: "red" }),
      policy({ name: "b", namespace: "red", order: 1000 }),
      kubernetesPolicy({ name: "b", namespace: "blue" }),
      policy({ name: "b", namespace: "blue", order: 1000 }),
      policy({ name: "b", order: 1000 }),
      kubernetesPolicy({ name: "a", namespace: "red" }),
      policy({ name: "d", order: 999 }),
      policy({ name: "a" }),
    ];
    const sorted = policies.toSorted(comparePolicies).map(({ name, namespace, kind }) => [name, namespace ?? "", kind]);
    expect(sorted.map((each) => each.join("/"))).toEqual([
      "d//GlobalNetworkPolicy",
      "a/red/KubernetesNetworkPolicy",
      "b//GlobalNetworkPolicy",
      "b/blue/KubernetesNetworkPolicy",
      "b/blue/NetworkPolicy",
      "b/red/NetworkPolicy",
      "c/red/KubernetesNetworkPolicy",
      "a//GlobalNetworkPolicy",
    ]);
  });
});

describe("the order of tiers (SEMANTICS 1.6)", () => {
  it("is by order, then name; unset comes last", () => {
    const set = resourceSet({ tiers: [tier("unset", undefined), tier("b", 10), tier("a", 10), tier("zero", 0)] });
    expect(sortedTiers(set).map(({ name }) => name)).toEqual([
      "zero",
      "a",
      "b",
      "kube-admin",
      "default",
      "kube-baseline",
      "unset",
    ]);
  });
});

describe("the policies of an endpoint", () => {
  const set = resourceSet({
    tiers: [tier("first", 1)],
    policies: [
      policy({ name: "both", order: 2, types: ["ingress", "egress"] }),
      policy({ name: "in", order: 1, types: ["ingress"], applyOnForward: true }),
      policy({ name: "out", types: ["egress"] }),
      policy({ name: "f", tier: "first", types: ["egress"] }),
      policy({ name: "db", tier: "first", types: ["ingress", "egress"], selector: "role == 'db'" }),
    ],
  });

  it("are those that select it and have the direction in types, by tier, even without rules", () => {
    expect(listed(set, "normal", "ingress")).toEqual(["default: in both"]);
    expect(listed(set, "normal", "egress")).toEqual(["first: f", "default: both out"]);
  });

  it("are for forwarded traffic only those with applyOnForward", () => {
    expect(listed(set, "forward", "ingress")).toEqual(["default: in"]);
    expect(listed(set, "forward", "egress")).toEqual([]);
  });

  it("has forward policies if one of either direction governs it", () => {
    expect(hasForwardPolicies(set, endpoint)).toBe(true);
    const elsewhere = policy({ selector: "role == 'db'", applyOnForward: true });
    expect(governs(elsewhere, endpoint)).toBe(false);
    const without = resourceSet({ policies: [elsewhere, policy({ name: "normal" })] });
    expect(hasForwardPolicies(without, endpoint)).toBe(false);
  });

  it("do not include staged ones", () => {
    const staged = policy({ name: "s", staged: true, types: ["ingress"], applyOnForward: true });
    const set = resourceSet({ policies: [staged] });
    expect(listed(set, "normal", "ingress")).toEqual([]);
    expect(hasForwardPolicies(set, endpoint)).toBe(false);
  });
});

describe("the class of a policy (SEMANTICS 3.1)", () => {
  const both = { types: ["ingress", "egress"] } as const;
  const set = resourceSet({
    policies: [
      policy({ name: "plain", ...both }),
      policy({ name: "forwarded", ...both, applyOnForward: true }),
      policy({ name: "before-dnat", preDNAT: true, applyOnForward: true, types: ["ingress"] }),
      policy({ name: "untracked", ...both, doNotTrack: true, applyOnForward: true }),
    ],
  });

  it("on a HostEndpoint: applyOnForward is normal too, preDNAT and doNotTrack are nothing else (trap 13)", () => {
    expect(listed(set, "normal", "ingress")).toEqual(["default: forwarded plain"]);
    expect(listed(set, "forward", "ingress")).toEqual(["default: forwarded"]);
    expect(listed(set, "preDNAT", "ingress")).toEqual(["default: before-dnat"]);
    expect(listed(set, "untracked", "ingress")).toEqual(["default: untracked"]);
    expect(listed(set, "untracked", "egress")).toEqual(["default: untracked"]);
    expect(hasForwardPolicies(resourceSet({ policies: set.policies.filter((p) => p.preDNAT) }), endpoint)).toBe(false);
  });

  it("on a WorkloadEndpoint is normal, or nothing for preDNAT and doNotTrack", () => {
    const pod = workloadEndpoint();
    expect(listed(set, "normal", "ingress", pod)).toEqual(["default: forwarded plain"]);
    for (const policyClass of ["forward", "preDNAT", "untracked"] as const) {
      expect(listed(set, policyClass, "ingress", pod)).toEqual([]);
    }
  });

  it("of a namespaced policy never reaches a HostEndpoint or another namespace (SEMANTICS 1.9)", () => {
    const namespaced = resourceSet({ policies: [policy({ name: "np", namespace: "blue" })] });
    expect(listed(namespaced, "normal", "ingress")).toEqual([]);
    expect(listed(namespaced, "normal", "ingress", workloadEndpoint({ namespace: "red" }))).toEqual([]);
    expect(listed(namespaced, "normal", "ingress", workloadEndpoint({ namespace: "blue" }))).toEqual(["default: np"]);
  });
});
