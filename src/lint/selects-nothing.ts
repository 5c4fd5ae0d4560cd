/** Policies that choose no endpoint there is, and so do nothing yet. */
import type { Policy, ResourceSet } from "../resources/types.ts";
import type { ChosenEndpoints } from "./chosen-endpoints.ts";
import type { LintWarning } from "./lint-warning.ts";
import { policyTitle } from "./lint-warning.ts";

/** Without any endpoint every policy chooses none, which says nothing about the policies. */
export function lintSelectsNothing(set: ResourceSet, chosen: ChosenEndpoints): LintWarning[] {
  const { hostEndpoints, workloadEndpoints } = set;
  if (hostEndpoints.length + workloadEndpoints.length === 0) return [];
  return set.policies.flatMap((policy) => {
    if (policy.stagedAction === "Delete") return [];
    const onHostsOnly = policy.preDNAT || policy.doNotTrack;
    if (chosen.anyHost(policy.selector)) return [];
    if (!chosen.anyWorkload(policy.selector)) return [warning(policy, "it chooses no endpoint and has no effect")];
    if (!onHostsOnly || hostEndpoints.length === 0) return [];
    const field = policy.preDNAT ? "preDNAT" : "doNotTrack";
    return [warning(policy, `it chooses workloads only, on which a ${field} policy has no effect`)];
  });
}

function warning(policy: Policy, problem: string): LintWarning {
  return {
    code: "RAMPART_W_SELECTS_NOTHING",
    message: `${policyTitle(policy)}: ${problem}`,
    hint: "correct its selectors or its namespace, or give the endpoints the labels it asks for",
    location: policy.location,
  };
}
