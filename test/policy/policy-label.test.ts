import { expect, it } from "vitest";
import { describeLabel, policyLabel } from "../../src/policy/policy-label.ts";
import { kubernetesPolicy, policy } from "./build.ts";

it("labels a policy so that kinds, namespaces and staged ones cannot be confused (SEMANTICS 1.7)", () => {
  const labels = [
    policy({ name: "p" }),
    policy({ name: "p", namespace: "shop" }),
    kubernetesPolicy({ name: "p", namespace: "shop" }),
    policy({ name: "p", staged: true }),
    kubernetesPolicy({ name: "p", namespace: "shop", staged: true }),
  ].map(policyLabel);
  expect(labels).toEqual(["p", "shop/p", "shop/knp.default.p", "staged:p", "staged:shop/knp.default.p"]);
});

it("a staged policy is named to people by its kind, any other by its label", () => {
  const names = [
    policy({ name: "p", staged: true }),
    policy({ name: "p", namespace: "shop", staged: true }),
    kubernetesPolicy({ name: "p.q", namespace: "shop", staged: true }),
    kubernetesPolicy({ name: "p", namespace: "shop" }),
  ].map((each) => describeLabel(policyLabel(each)));
  expect(names).toEqual([
    "StagedGlobalNetworkPolicy p",
    "StagedNetworkPolicy shop/p",
    "StagedKubernetesNetworkPolicy shop/p.q",
    "shop/knp.default.p",
  ]);
});
