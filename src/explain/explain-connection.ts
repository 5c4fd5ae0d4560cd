/**
 * Judges a connection with the reference evaluator and says why. The verdicts
 * are the evaluator's own; what is added is the account of the rules it asked.
 */
import type { Address } from "../address/address.ts";
import { cidrContains, formatAddress } from "../address/address.ts";
import type { Decision, PolicyPacket } from "../policy/decision.ts";
import { evaluateEndpoint } from "../policy/evaluate.ts";
import { ruleMatches } from "../policy/match-rule.ts";
import { enforcedPolicies, tierPolicies } from "../policy/order.ts";
import type { TierPolicies } from "../policy/order.ts";
import { isAffected, pendingPolicies } from "../policy/pending.ts";
import { policyLabel } from "../policy/policy-label.ts";
import type { Policy, ResourceSet, Rule } from "../resources/types.ts";
import { BuiltIns, builtInVerdict } from "./built-in.ts";
import type { Connection } from "./connection.ts";
import type { Course, Stage } from "./course.ts";
import { endpointName } from "./endpoint-directory.ts";
import type {
  Bystander,
  Candidate,
  ExplainedCourse,
  ExplainedRule,
  ExplainedStage,
  Explanation,
} from "./explanation.ts";
import { follow } from "./passage.ts";
import { protocolName } from "./question.ts";
import { failedCriteria } from "./rule-mismatch.ts";

/** The verdict on a connection along its course, and the path to it (SEMANTICS 3.1, 3.4). */
export function explainConnection(set: ResourceSet, connection: Connection, course: Course): Explanation {
  const { source, destination, packet } = connection;
  const owners = ownersOf(set, packet);
  const { verdict, stages, hostAction } = explainCourse(owners, course, packet, enforcedPolicies(owners));
  const { family, protocol, sourcePort, destinationPort, icmpType, icmpCode } = packet;
  return {
    verdict,
    connection: {
      from: source.text,
      to: destination.text,
      source: formatAddress({ family, value: packet.source }),
      destination: formatAddress({ family, value: packet.destination }),
      protocol: protocolName(protocol),
      sourcePort,
      port: destinationPort,
      icmpType,
      icmpCode,
    },
    stages,
    hostAction,
    pending: explainPending(owners, course, packet),
    remarks: course.remarks,
  };
}

/** The course with the staged policies in force, if a stage it reaches would have other policies then. */
function explainPending(set: ResourceSet, course: Course, packet: PolicyPacket): ExplainedCourse | undefined {
  let affected = false;
  const pending = explainCourse(set, course, packet, pendingPolicies(set), ({ endpoint, policyClass, direction }) => {
    affected ||= isAffected(set, endpoint, policyClass, direction);
  });
  return affected ? pending : undefined;
}

function explainCourse(
  set: ResourceSet,
  course: Course,
  packet: PolicyPacket,
  policies: readonly Policy[],
  onStage: (stage: Stage) => void = () => {},
): ExplainedCourse {
  const stages: ExplainedStage[] = [];
  const { verdict, hostAction } = follow(course, (stage) => {
    onStage(stage);
    const explained = explainStage(set, stage, packet, policies);
    stages.push(explained);
    return explained.verdict;
  });
  return { verdict, stages, hostAction };
}

function explainStage(
  set: ResourceSet,
  stage: Stage,
  packet: PolicyPacket,
  policies: readonly Policy[],
): ExplainedStage {
  const { endpoint, policyClass, direction, hook } = stage;
  const judge = {
    endpoint: endpointName(endpoint),
    endpointLocation: endpoint.location,
    policyClass,
    direction,
    hook,
  };
  const reason = new BuiltIns(set).of(stage, packet);
  if (reason !== undefined) {
    const nothing = { tier: undefined, rule: undefined, policies: [], candidates: [], bystanders: [] };
    return { ...judge, verdict: builtInVerdict(reason), reason, ...nothing };
  }
  const decision = evaluateEndpoint(set, endpoint.node, endpoint, policyClass, direction, packet, policies);
  const tiers = tierPolicies(set, endpoint, policyClass, direction, policies);
  const { candidates, rule } = askedRules(set, stage, packet, decision, tiers);
  return {
    ...judge,
    verdict: decision.verdict,
    reason: decision.reason,
    tier: decision.tier,
    rule,
    policies: tiers.flatMap((tier) => tier.policies.map(policyLabel)),
    candidates,
    bystanders: decision.reason === "failsafe" ? [] : bystanders(set, stage, packet, decision, tiers),
  };
}

/** The rules that were asked, in order, and the one that decided. */
function askedRules(
  set: ResourceSet,
  { endpoint, policyClass, direction }: Stage,
  packet: PolicyPacket,
  decision: Decision,
  tiers: readonly TierPolicies[],
): { candidates: Candidate[]; rule: ExplainedRule | undefined } {
  const candidates: Candidate[] = [];
  /** True if the rule matches and is not one that only logs. */
  const ask = (rule: Rule, explained: ExplainedRule): boolean => {
    const failed = failedCriteria(set, rule, packet, (address) => knownAs(set, address));
    candidates.push({ ...explained, matched: failed.length === 0, failed });
    return failed.length === 0 && rule.action !== "Log";
  };
  if (decision.reason === "failsafe") return { candidates, rule: undefined };
  for (const { tier, policies } of tiers) {
    tier: for (const policy of policies) {
      for (const [index, rule] of policy[direction].entries()) {
        const explained = explainedRule(rule, tier.name, policyLabel(policy), direction, index);
        if (!ask(rule, explained)) continue;
        if (rule.action === "Pass") break tier;
        return { candidates, rule: explained };
      }
    }
    if (decision.reason === "end-of-tier" && decision.tier === tier.name) return { candidates, rule: undefined };
  }
  if (policyClass !== "normal") return { candidates, rule: undefined };
  for (const name of endpoint.profiles) {
    for (const [index, rule] of (set.profiles.get(name)?.[direction] ?? []).entries()) {
      const explained = explainedRule(rule, undefined, `profile ${name}`, direction, index);
      if (ask(rule, explained)) return { candidates, rule: explained };
    }
  }
  return { candidates, rule: undefined };
}

/**
 * Policies that would have said otherwise, and were not asked because they
 * are staged, do not choose the endpoint, or lack the direction in their
 * types: the usual reason for a surprise. A policy of another namespace is
 * none: it could never choose the endpoint.
 */
function bystanders(
  set: ResourceSet,
  stage: Stage,
  packet: PolicyPacket,
  { verdict }: Decision,
  tiers: readonly TierPolicies[],
): Bystander[] {
  const asked = new Set(tiers.flatMap(({ policies }) => policies));
  const { endpoint, direction } = stage;
  const namespace = endpoint.kind === "WorkloadEndpoint" ? endpoint.namespace : undefined;
  const otherwise = verdict === "deny" ? "Allow" : "Deny";
  return set.policies.flatMap((policy): Bystander | [] => {
    if (asked.has(policy) || (policy.namespace !== undefined && policy.namespace !== namespace)) return [];
    const index = policy[direction].findIndex((rule) => rule.action !== "Log" && ruleMatches(set, rule, packet));
    if (index < 0 || policy[direction][index]?.action !== otherwise) return [];
    const why = whyNotAsked(set, policy, stage);
    if (why === undefined) return [];
    const rule = policy[direction][index] as Rule;
    return { ...explainedRule(rule, policy.tier, policyLabel(policy), direction, index), why };
  });
}

/** undefined: it was asked, or could not have been even with another selector or other types. */
function whyNotAsked(
  set: ResourceSet,
  policy: Policy,
  { endpoint, policyClass, direction }: Stage,
): string | undefined {
  const asked = (changes: Partial<Policy>): boolean =>
    tierPolicies({ ...set, policies: [{ ...policy, ...changes }] }, endpoint, policyClass, direction).length > 0;
  if (asked({})) return undefined;
  if (asked({ staged: false })) return "it is staged, which is never enforced";
  if (policy.staged) return undefined;
  if (asked({ types: [direction] })) return `it has no ${direction === "ingress" ? "Ingress" : "Egress"} in its types`;
  if (!asked({ selector: EVERYTHING })) return undefined;
  return `its selector does not choose ${endpointName(endpoint)}: ${policy.selector.text}`;
}

const EVERYTHING = { text: "all()", key: "all()", root: { op: "all" } } as const;

function explainedRule(
  rule: Rule,
  tier: string | undefined,
  policy: string,
  direction: ExplainedRule["direction"],
  index: number,
): ExplainedRule {
  return { tier, policy, direction, index, action: rule.action, location: rule.location };
}

/**
 * The set with only those endpoints and network sets that have one of the
 * packet's addresses: no others can make a rule match, or keep it from
 * matching, and of a large inventory the evaluator walks only these.
 */
function ownersOf(set: ResourceSet, { family, source, destination }: PolicyPacket): ResourceSet {
  const isOurs = (address: Address): boolean =>
    address.family === family && (address.value === source || address.value === destination);
  return {
    ...set,
    hostEndpoints: set.hostEndpoints.filter(({ expectedIPs }) => expectedIPs.some(isOurs)),
    workloadEndpoints: set.workloadEndpoints.filter(({ addresses }) => addresses.some(isOurs)),
    networkSets: set.networkSets.filter(({ nets }) =>
      nets.some((net) => [source, destination].some((value) => cidrContains(net, { family, value }))),
    ),
  };
}

/** An address, and whose it is. */
function knownAs(set: ResourceSet, address: Address): string {
  const has = (each: Address): boolean => each.family === address.family && each.value === address.value;
  const names = [
    ...set.workloadEndpoints.filter(({ addresses }) => addresses.some(has)).map(endpointName),
    ...set.hostEndpoints.filter(({ expectedIPs }) => expectedIPs.some(has)).map(endpointName),
    ...set.networkSets
      .filter(({ nets }) => nets.some((net) => cidrContains(net, address)))
      .map(({ kind, namespace, name }) => `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`),
  ];
  const text = formatAddress(address);
  if (names.length === 0) return `${text}, which nothing in the files has`;
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  return `${text}, of ${names.slice(0, 3).join(", ")}${more}`;
}
