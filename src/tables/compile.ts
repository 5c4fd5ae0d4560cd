/**
 * From the validated resources to the published tables. The order of a
 * program is SEMANTICS 3.1 and 3.2 written down as a list:
 *
 *   normal     failsafe ports (hosts), tiers, profiles, deny
 *   forward    tiers, then allow (no applyOnForward policy at all) or continue
 *   preDNAT    failsafe ports, tiers, continue
 *   untracked  failsafe ports of both lists, tiers, continue
 *
 * A tier is its policies' rules; after them, for normal and forward, where it
 * has enforced policies and does not pass by default, a rule that denies
 * everything.
 *
 * Where staged policies would change an endpoint's list of policies, the list
 * that would be compiles to a pending program beside the one in force.
 */
import type { PolicyClass } from "../policy/decision.ts";
import { effectiveFelix, type EffectiveFelix } from "../policy/failsafe.ts";
import { pendingPolicies } from "../policy/pending.ts";
import { policyLabel } from "../policy/policy-label.ts";
import type { Direction, Endpoint, Policy, ResourceSet } from "../resources/types.ts";
import { buildAddressClasses } from "./address-classes.ts";
import { NO_PROGRAM, PROGRAM_KINDS, ProgramKind, type Compilation } from "./compiled.ts";
import { hasClass, policyLists, type PolicyLists } from "./policy-lists.ts";
import { buildPrograms, type ProgramItem } from "./program-index.ts";
import { RuleBuilder, type RuleForms } from "./rule-builder.ts";
import { sharedUint32 } from "./shared-arrays.ts";

interface ProgramRequest {
  readonly kind: number;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
}

const REQUESTS: readonly ProgramRequest[] = [
  { kind: ProgramKind.NORMAL_INGRESS, policyClass: "normal", direction: "ingress" },
  { kind: ProgramKind.NORMAL_EGRESS, policyClass: "normal", direction: "egress" },
  { kind: ProgramKind.FORWARD_INGRESS, policyClass: "forward", direction: "ingress" },
  { kind: ProgramKind.FORWARD_EGRESS, policyClass: "forward", direction: "egress" },
  { kind: ProgramKind.PREDNAT_INGRESS, policyClass: "preDNAT", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_INGRESS, policyClass: "untracked", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_EGRESS, policyClass: "untracked", direction: "egress" },
];

/** Compiles the programs of `endpoints`, whose positions become the endpoint indices. */
export function compileTables(
  set: ResourceSet,
  endpoints: readonly Endpoint[],
  node: string,
  generation: number,
): Compilation {
  const compiler = new Compiler(set, endpoints, effectiveFelix(set, node));
  const endpointPrograms = sharedUint32(endpoints.length * PROGRAM_KINDS).fill(NO_PROGRAM);
  const pending = new Uint32Array(compiler.hasPending ? endpointPrograms.length : 0).fill(NO_PROGRAM);
  endpoints.forEach((endpoint, index) => {
    for (const request of REQUESTS) {
      if (endpoint.kind === "WorkloadEndpoint" && request.policyClass !== "normal") continue;
      const at = index * PROGRAM_KINDS + request.kind;
      endpointPrograms[at] = compiler.program(endpoint, index, request);
      if (pending.length > 0) pending[at] = compiler.pendingProgram(endpoint, index, request);
    }
  });
  const { rules, programs } = compiler;
  return {
    tables: {
      generation,
      addresses: buildAddressClasses(rules.addresses),
      sourcePorts: rules.sourcePorts.build(),
      destinationPorts: rules.destinationPorts.build(),
      icmp: rules.icmp.build(),
      rules: rules.table(),
      programs: buildPrograms(programs, rules.built),
      endpointPrograms,
      pendingPrograms: sharedUint32(pending.some((program) => program !== NO_PROGRAM) ? pending : 0),
      rejectDenied: effectiveFelix(set, node).denyAction === "Reject",
    },
    rules: rules.info,
    endpoints,
    classes: endpoints.map((endpoint, index) => ({
      forward: compiler.hasPolicies(endpoint, index, "forward"),
      preDNAT: compiler.hasPolicies(endpoint, index, "preDNAT"),
      untrackedIngress: compiler.hasPolicies(endpoint, index, "untracked", "ingress"),
      untrackedEgress: compiler.hasPolicies(endpoint, index, "untracked", "egress"),
    })),
  };
}

class Compiler {
  readonly rules: RuleBuilder;
  readonly programs: ProgramItem[][] = [];
  readonly #set: ResourceSet;
  readonly #felix: EffectiveFelix;
  readonly #lists: PolicyLists;
  /** Undefined without staged policies. */
  readonly #pending: PolicyLists | undefined;
  readonly #programIds = new Map<string, number>();

  constructor(set: ResourceSet, endpoints: readonly Endpoint[], felix: EffectiveFelix) {
    this.#set = set;
    this.#felix = felix;
    this.#lists = policyLists(set, endpoints);
    const hasStaged = set.policies.some((policy) => policy.staged);
    this.#pending = hasStaged ? policyLists(set, endpoints, pendingPolicies(set)) : undefined;
    this.rules = new RuleBuilder(set);
  }

  get hasPending(): boolean {
    return this.#pending !== undefined;
  }

  hasPolicies(endpoint: Endpoint, index: number, policyClass: PolicyClass, direction?: Direction): boolean {
    const { policies, byEndpoint } = this.#lists;
    return byEndpoint[index].some((position) => {
      const policy = policies[position];
      return hasClass(policy, endpoint, policyClass) && (direction === undefined || policy.types.includes(direction));
    });
  }

  /** The endpoint's program; endpoints with the same policies and profiles share it. */
  program(endpoint: Endpoint, index: number, request: ProgramRequest, lists = this.#lists): number {
    const { policies } = lists;
    const { positions, none } = applying(lists, endpoint, index, request);
    const view = lists === this.#lists ? "enforced" : "pending";
    const key = [view, request.kind, endpoint.kind, none, positions.join(), endpoint.profiles.join()].join("|");
    let id = this.#programIds.get(key);
    if (id === undefined) {
      id = this.programs.length;
      const inOrder = positions.map((position) => policies[position]);
      this.programs.push(this.#items(endpoint, request, inOrder, !none));
      this.#programIds.set(key, id);
    }
    return id;
  }

  /** The program were the staged policies in force; NO_PROGRAM if it would be the same. */
  pendingProgram(endpoint: Endpoint, index: number, request: ProgramRequest): number {
    if (this.#pending === undefined) return NO_PROGRAM;
    const before = applying(this.#lists, endpoint, index, request);
    const after = applying(this.#pending, endpoint, index, request);
    const sameEnd = request.policyClass !== "forward" || before.none === after.none;
    if (sameEnd && samePolicies(this.#lists, before.positions, this.#pending, after.positions)) return NO_PROGRAM;
    return this.program(endpoint, index, request, this.#pending);
  }

  #items(endpoint: Endpoint, request: ProgramRequest, policies: readonly Policy[], hasPolicies: boolean): ProgramItem[] {
    const { policyClass, direction } = request;
    const { rules } = this;
    const items: ProgramItem[] = [];
    const push = (rule: number): void => {
      items.push({ rule, next: items.length + 1 });
    };
    if (endpoint.kind === "HostEndpoint") this.#failsafes(request, push);
    for (const tier of this.#lists.tiers) {
      const ofTier = policies.filter((policy) => policy.tier === tier.name);
      if (ofTier.length === 0) continue;
      const first = items.length;
      for (const policy of ofTier) {
        for (const [index, rule] of policy[direction].entries()) {
          const reference = { tier: tier.name, policy: policyLabel(policy), direction, index };
          pushForms(items, rules.policyRule(rule, reference));
        }
      }
      if ((policyClass === "normal" || policyClass === "forward") && tier.defaultAction !== "Pass") {
        push(this.#endOfTier(direction, tier.name, ofTier.findLast((policy) => policy.staged)));
      }
      for (let i = first; i < items.length; i++) {
        const { rule } = items[i];
        if (rules.info[rule].verdict === "pass") items[i] = { rule, next: items.length };
      }
    }
    if (policyClass === "normal") this.#profiles(endpoint, direction, items, push);
    else if (policyClass !== "forward") push(rules.impliedRule(direction, "continue", "no-match"));
    else push(rules.impliedRule(direction, hasPolicies ? "continue" : "allow", "forward-default"));
    return items;
  }

  /** `staged`: the policy that may be the reason why the tier ends here. */
  #endOfTier(direction: Direction, tier: string, staged: Policy | undefined): number {
    const { rules } = this;
    if (staged === undefined) return rules.impliedRule(direction, "deny", "end-of-tier", tier);
    const label = policyLabel(staged);
    const rule = rules.impliedRule(direction, "deny", "end-of-tier", `${tier} ${label}`);
    rules.info[rule] = { verdict: "deny", reason: "end-of-tier", direction, tier, rule: undefined, staged: label };
    return rule;
  }

  #failsafes({ policyClass, direction }: ProgramRequest, push: (rule: number) => void): void {
    const { failsafeInbound, failsafeOutbound } = this.#felix;
    const [own, other] = direction === "ingress" ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound];
    if (policyClass === "forward") return;
    const verdict = policyClass === "normal" ? "allow" : "continue";
    for (const port of own) push(this.rules.failsafeRule(port, direction, verdict, "destination"));
    if (policyClass !== "untracked") return;
    for (const port of other) push(this.rules.failsafeRule(port, direction, verdict, "source"));
  }

  #profiles(endpoint: Endpoint, direction: Direction, items: ProgramItem[], push: (rule: number) => void): void {
    for (const name of endpoint.profiles) {
      for (const [index, rule] of (this.#set.profiles.get(name)?.[direction] ?? []).entries()) {
        pushForms(items, this.rules.profileRule(rule, { tier: "", policy: name, direction, index }));
      }
    }
    push(this.rules.impliedRule(direction, "deny", "no-policy"));
  }
}

/** Positions in `lists.policies` of those that judge in class and direction; `none`: there is not one of the class. */
function applying(
  { policies, byEndpoint }: PolicyLists,
  endpoint: Endpoint,
  index: number,
  { policyClass, direction }: ProgramRequest,
): { readonly positions: readonly number[]; readonly none: boolean } {
  const ofClass = byEndpoint[index].filter((position) => hasClass(policies[position], endpoint, policyClass));
  const positions = ofClass.filter((position) => policies[position].types.includes(direction));
  return { positions, none: ofClass.length === 0 };
}

function samePolicies(a: PolicyLists, inA: readonly number[], b: PolicyLists, inB: readonly number[]): boolean {
  if (inA.length !== inB.length) return false;
  return inA.every((position, i) => a.policies[position] === b.policies[inB[i]]);
}

/** Skips and Logs go on behind the rule's last form, so that a rule skips, and logs, as one. */
function pushForms(items: ProgramItem[], { skips, matches }: RuleForms): void {
  const end = items.length + skips.length + matches.length;
  for (const rule of [...skips, ...matches]) items.push({ rule, next: end });
}
