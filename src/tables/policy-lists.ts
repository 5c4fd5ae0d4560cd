/**
 * Which policies apply to which endpoint, in order (SEMANTICS 1.6, 1.7, 3.1).
 * Policies are sorted once and kept sorted; an endpoint is given those whose
 * selector its labels satisfy.
 */
import type { PolicyClass } from "../policy/decision.ts";
import { comparePolicies, sortedTiers } from "../policy/order.ts";
import type { Endpoint, Policy, ResourceSet, Tier } from "../resources/types.ts";
import { QuestionIndex, type Question } from "./question-index.ts";
import type { Change } from "./resource-changes.ts";

interface PolicyQuestion extends Question {
  readonly policy: Policy;
}

export class PolicyLists {
  readonly tiers: readonly Tier[];
  readonly #rank: ReadonlyMap<string, number>;
  /** In order of tier, then policy. */
  #policies: Policy[];
  #positions = new Map<Policy, number>();
  readonly #index = new QuestionIndex<PolicyQuestion>();
  readonly #questions = new Map<Policy, PolicyQuestion>();

  /** The lists of `counting`: the enforced policies, or others in their place. */
  constructor(set: ResourceSet, counting: readonly Policy[]) {
    this.tiers = sortedTiers(set);
    this.#rank = new Map(this.tiers.map((tier, position) => [tier.name, position]));
    this.#policies = counting.toSorted((a, b) => this.#compare(a, b));
    for (const policy of this.#policies) this.#ask(policy);
    this.#number();
  }

  /** The policies that choose the endpoint, in order. */
  of(endpoint: Endpoint): Policy[] {
    return this.sorted(this.#index.asking(endpoint.labels).map(({ policy }) => policy));
  }

  /** Policies of any order in order. */
  sorted(policies: readonly Policy[]): Policy[] {
    return policies.toSorted((a, b) => (this.#positions.get(a) ?? 0) - (this.#positions.get(b) ?? 0));
  }

  /** Takes policies away and adds others. */
  change({ removed, added }: Change<Policy>): void {
    const gone = new Set(removed);
    for (const policy of gone) {
      const question = this.#questions.get(policy);
      if (question !== undefined) this.#index.delete(question);
      this.#questions.delete(policy);
    }
    if (gone.size > 0) this.#policies = this.#policies.filter((policy) => !gone.has(policy));
    for (const policy of added) {
      this.#policies.splice(this.#place(policy), 0, policy);
      this.#ask(policy);
    }
    this.#number();
  }

  #ask(policy: Policy): void {
    const question = { policy, root: policy.selector.root, notRoot: undefined };
    this.#questions.set(policy, question);
    this.#index.add(question);
  }

  #number(): void {
    this.#positions = new Map(this.#policies.map((policy, position) => [policy, position]));
  }

  #place(policy: Policy): number {
    let low = 0;
    let high = this.#policies.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#policies[middle], policy) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: Policy, b: Policy): number {
    return (this.#rank.get(a.tier) ?? 0) - (this.#rank.get(b.tier) ?? 0) || comparePolicies(a, b);
  }
}

/** Does the policy speak in this class on this kind of endpoint (SEMANTICS 3.1)? */
export function hasClass(policy: Policy, endpoint: Endpoint, policyClass: PolicyClass): boolean {
  if (policy.doNotTrack) return policyClass === "untracked" && endpoint.kind === "HostEndpoint";
  if (policy.preDNAT) return policyClass === "preDNAT" && endpoint.kind === "HostEndpoint";
  if (policyClass === "forward") return policy.applyOnForward && endpoint.kind === "HostEndpoint";
  return policyClass === "normal";
}
