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
 *
 * A compiler keeps what it made, and at the next set makes only what depends
 * on the resources that changed. Tables it gave away are never written again.
 */
import { isDeepStrictEqual } from "node:util";
import type { PolicyClass } from "../policy/decision.ts";
import { effectiveFelix, type EffectiveFelix } from "../policy/failsafe.ts";
import { enforcedPolicies } from "../policy/order.ts";
import { pendingPolicies } from "../policy/pending.ts";
import { policyLabel } from "../policy/policy-label.ts";
import type { Direction, Endpoint, Policy, ResourceSet } from "../resources/types.ts";
import { AddressClassBuilder } from "./address-classes.ts";
import { AddressPredicates } from "./address-sets.ts";
import { NO_PROGRAM, PROGRAM_KINDS, ProgramKind, type Compilation, type EndpointClasses } from "./compiled.ts";
import { difference, follower, NO_CHANGE, ofEnforced } from "./policy-change.ts";
import { hasClass, PolicyLists } from "./policy-lists.ts";
import { ProgramBuilder } from "./program-builder.ts";
import { ProgramPages } from "./program-pages.ts";
import { PROGRAM_REQUESTS, type ProgramRequest } from "./program-requests.ts";
import { resourceChanges, sameTiers, type Change, type ResourceChanges } from "./resource-changes.ts";
import { RuleBuilder } from "./rule-builder.ts";
import { SelectedSets } from "./selected-sets.ts";
import { ProgramItems } from "./program-items.ts";
import { sharedUint32 } from "./shared-arrays.ts";

/** Compiles the programs of `endpoints`, whose positions become the endpoint indices. */
export function compileTables(
  set: ResourceSet,
  endpoints: readonly Endpoint[],
  node: string,
  generation: number,
): Compilation {
  return new TableCompiler().compile(set, endpoints, node, generation);
}

/** Compiles one set after another; cheap where little changed from one to the next. */
export class TableCompiler {
  #compiler: Compiler | undefined;
  /** How often everything was compiled anew. */
  rebuilds = 0;

  /** See compileTables. */
  compile(set: ResourceSet, endpoints: readonly Endpoint[], node: string, generation: number): Compilation {
    const felix = effectiveFelix(set, node);
    const kept = this.#compiler;
    // Whatever goes wrong on the way, nothing half done is kept.
    this.#compiler = undefined;
    let compiler: Compiler;
    if (kept?.change(set, endpoints, felix)) compiler = kept;
    else {
      this.rebuilds++;
      compiler = new Compiler(set, endpoints, felix);
    }
    const compilation = compiler.publish(endpoints, generation);
    this.#compiler = compiler;
    return compilation;
  }
}

/** What was compiled for an endpoint. */
interface Governed {
  readonly endpoint: Endpoint;
  readonly policies: readonly Policy[];
  /** What would apply were the staged policies in force; undefined where there are none. */
  readonly pendingPolicies: readonly Policy[] | undefined;
  /** By ProgramKind. */
  readonly programs: readonly (SharedProgram | undefined)[];
  /** By ProgramKind, only where it is another than the one in force. */
  readonly pendingPrograms: readonly (SharedProgram | undefined)[];
  readonly classes: EndpointClasses;
}

interface SharedProgram {
  readonly key: string;
  readonly id: number;
  users: number;
}

/** More rules than this, and than are in use, are out of use: start over. */
const MAX_UNUSED_RULES = 4096;

class Compiler {
  readonly #felix: EffectiveFelix;
  readonly #rules: RuleBuilder;
  readonly #addresses: AddressClassBuilder;
  readonly #selected: SelectedSets;
  readonly #lists: PolicyLists;
  /** Undefined without staged policies. */
  readonly #pending: PolicyLists | undefined;
  readonly #pages = new ProgramPages();
  readonly #builder = new ProgramBuilder();
  readonly #programs = new Map<string, SharedProgram>();
  /** Numbers that stand for policies and profiles in keys of programs; a changed one gets a new number. */
  readonly #numbers = new Map<unknown, number>();
  #nextNumber = 0;
  #set: ResourceSet;
  /** By endpoint index. */
  #governed: readonly Governed[];

  constructor(set: ResourceSet, endpoints: readonly Endpoint[], felix: EffectiveFelix) {
    const addresses = new AddressPredicates();
    this.#set = set;
    this.#felix = felix;
    this.#lists = new PolicyLists(set, enforcedPolicies(set));
    this.#pending = hasStaged(set) ? new PolicyLists(set, pendingPolicies(set)) : undefined;
    this.#addresses = new AddressClassBuilder(addresses);
    this.#selected = new SelectedSets(set, addresses);
    this.#rules = new RuleBuilder(addresses, this.#selected);
    this.#governed = endpoints.map((endpoint) => this.#governNew(endpoint));
  }

  /** Brings everything up to date with `set`; false if that takes as much as starting over. */
  change(set: ResourceSet, endpoints: readonly Endpoint[], felix: EffectiveFelix): boolean {
    if (!isDeepStrictEqual(felix, this.#felix) || !sameTiers(set.tiers, this.#set.tiers)) return false;
    if (hasStaged(set) !== (this.#pending !== undefined)) return false;
    const changes = resourceChanges(this.#set, set);
    if (!this.#selected.update(changes)) return false;
    const before = this.#set;
    this.#set = changes.set;
    const samePolicies = changes.policies.removed.length === 0 && changes.policies.added.length === 0;
    const enforced = ofEnforced(changes.policies);
    const pending =
      this.#pending === undefined || samePolicies
        ? NO_CHANGE
        : difference(pendingPolicies(before), pendingPolicies(this.#set));
    if (enforced !== NO_CHANGE) this.#lists.change(enforced);
    if (pending !== NO_CHANGE) this.#pending?.change(pending);
    for (const policy of changes.policies.removed) {
      this.#numbers.delete(policy);
      this.#rules.release([...policy.ingress, ...policy.egress]);
    }
    for (const profile of changes.profiles) {
      this.#numbers.delete(profile.name);
      this.#rules.release([...profile.ingress, ...profile.egress]);
    }
    this.#governAll(endpoints, changes, enforced, pending);
    return this.#rules.unused <= Math.max(MAX_UNUSED_RULES, this.#rules.info.length / 2);
  }

  publish(endpoints: readonly Endpoint[], generation: number): Compilation {
    const rules = this.#rules;
    const endpointPrograms = sharedUint32(endpoints.length * PROGRAM_KINDS).fill(NO_PROGRAM);
    const affected = this.#governed.some((governed) => governed.pendingPrograms.length > 0);
    const pending = sharedUint32(affected ? endpointPrograms.length : 0).fill(NO_PROGRAM);
    this.#governed.forEach(({ programs, pendingPrograms }, index) => {
      programs.forEach((program, kind) => {
        if (program !== undefined) endpointPrograms[index * PROGRAM_KINDS + kind] = program.id;
      });
      pendingPrograms.forEach((program, kind) => {
        if (program !== undefined) pending[index * PROGRAM_KINDS + kind] = program.id;
      });
    });
    return {
      tables: {
        generation,
        addresses: this.#addresses.publish(),
        sourcePorts: rules.sourcePorts.build(),
        destinationPorts: rules.destinationPorts.build(),
        icmp: rules.icmp.build(),
        rules: rules.table(),
        forms: rules.forms.pack(),
        programs: this.#pages.publish(),
        endpointPrograms,
        pendingPrograms: pending,
        rejectDenied: this.#felix.denyAction === "Reject",
      },
      rules: [...rules.info],
      endpoints,
      classes: this.#governed.map(({ classes }) => classes),
    };
  }

  #governAll(
    endpoints: readonly Endpoint[],
    { stood, profiles }: ResourceChanges,
    enforced: Change<Policy>,
    pending: Change<Policy>,
  ): void {
    const before = this.#governed;
    const sameEverywhere = enforced === NO_CHANGE && pending === NO_CHANGE && profiles.length === 0;
    const fresh = new Set<Governed>();
    const governed: Governed[] = [];
    const strangers: number[] = [];
    endpoints.forEach((given, index) => {
      const endpoint = stood.get(given) ?? given;
      const known = before[index];
      if (known?.endpoint === endpoint) governed[index] = known;
      else strangers.push(index);
    });
    if (strangers.length > 0 || endpoints.length !== before.length) {
      const elsewhere = new Map<Endpoint, Governed>();
      before.forEach((known, index) => {
        if (governed[index] !== known) elsewhere.set(known.endpoint, known);
      });
      for (const index of strangers) {
        const endpoint = stood.get(endpoints[index]) ?? endpoints[index];
        const known = elsewhere.get(endpoint);
        elsewhere.delete(endpoint);
        governed[index] = known ?? this.#governNew(endpoint);
        if (known === undefined) fresh.add(governed[index]);
      }
      for (const known of elsewhere.values()) this.#release(known);
    }
    this.#governed = governed;
    if (sameEverywhere) return;
    const changedProfiles = new Set(profiles.map(({ name }) => name));
    const follow = follower(enforced);
    const followPending = follower(pending);
    this.#governed = governed.map((known) => {
      if (fresh.has(known)) return known;
      const { endpoint } = known;
      const policies = follow(endpoint, known.policies);
      const would = known.pendingPolicies === undefined ? undefined : followPending(endpoint, known.pendingPolicies);
      const otherProfile = changedProfiles.size > 0 && endpoint.profiles.some((name) => changedProfiles.has(name));
      if (policies === undefined && would === undefined && !otherProfile) return known;
      // The new programs first, so that those that stay the same are not made again.
      const next = this.#govern(
        endpoint,
        policies === undefined ? known.policies : this.#lists.sorted(policies),
        would === undefined ? known.pendingPolicies : this.#pending?.sorted(would),
      );
      this.#release(known);
      return next;
    });
  }

  #governNew(endpoint: Endpoint): Governed {
    return this.#govern(endpoint, this.#lists.of(endpoint), this.#pending?.of(endpoint));
  }

  #govern(endpoint: Endpoint, policies: readonly Policy[], pending: readonly Policy[] | undefined): Governed {
    const programs: (SharedProgram | undefined)[] = [];
    const pendingPrograms: (SharedProgram | undefined)[] = [];
    const applying = applyingPolicies(endpoint, policies);
    const would = pending === undefined ? undefined : applyingPolicies(endpoint, pending);
    for (const request of PROGRAM_REQUESTS) {
      if (endpoint.kind === "WorkloadEndpoint" && request.policyClass !== "normal") continue;
      programs[request.kind] = this.#program(endpoint, applying, request);
      if (would === undefined || samePrograms(applying, would, request)) continue;
      pendingPrograms[request.kind] = this.#program(endpoint, would, request);
    }
    const classes = {
      forward: applying.classes.has("forward"),
      preDNAT: applying.classes.has("preDNAT"),
      untrackedIngress: applying.judging[ProgramKind.UNTRACKED_INGRESS].length > 0,
      untrackedEgress: applying.judging[ProgramKind.UNTRACKED_EGRESS].length > 0,
    };
    return { endpoint, policies, pendingPolicies: pending, programs, pendingPrograms, classes };
  }

  /** Endpoints with the same policies and profiles share a program. */
  #program(endpoint: Endpoint, applying: ApplyingPolicies, request: ProgramRequest): SharedProgram {
    const judging = applying.judging[request.kind];
    const none = !applying.classes.has(request.policyClass);
    const numbers = judging.map((policy) => this.#number(policy)).join();
    const profiles = endpoint.profiles.map((name) => this.#number(name)).join();
    const key = [request.kind, endpoint.kind, none, numbers, profiles].join("|");
    let program = this.#programs.get(key);
    if (program === undefined) {
      const items = this.#items(endpoint, request, judging, !none);
      program = { key, id: this.#pages.add(this.#builder.build(items.words, this.#rules.keys.words)), users: 0 };
      this.#programs.set(key, program);
    }
    program.users++;
    return program;
  }

  #release({ programs, pendingPrograms }: Governed): void {
    for (const program of [...programs, ...pendingPrograms]) {
      if (program === undefined || --program.users > 0) continue;
      this.#programs.delete(program.key);
      this.#pages.delete(program.id);
    }
  }

  #number(thing: unknown): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) this.#numbers.set(thing, (number = this.#nextNumber++));
    return number;
  }

  #items(endpoint: Endpoint, request: ProgramRequest, policies: readonly Policy[], hasPolicies: boolean): ProgramItems {
    const { policyClass, direction } = request;
    const rules = this.#rules;
    const items = new ProgramItems();
    if (endpoint.kind === "HostEndpoint") this.#failsafes(request, items);
    for (const tier of this.#lists.tiers) {
      const ofTier = policies.filter((policy) => policy.tier === tier.name);
      if (ofTier.length === 0) continue;
      const first = items.count;
      for (const policy of ofTier) this.#policyRules(policy, direction, items);
      if ((policyClass === "normal" || policyClass === "forward") && tier.defaultAction !== "Pass") {
        items.add(this.#endOfTier(direction, tier.name, ofTier.findLast((policy) => policy.staged)));
      }
      for (let i = first; i < items.count; i++) {
        if (rules.info[items.rule(i)].verdict === "pass") items.goOnAt(i, items.count);
      }
    }
    if (policyClass === "normal") this.#profiles(endpoint, direction, items);
    else if (policyClass !== "forward") items.add(rules.impliedRule(direction, "continue", "no-match"));
    else items.add(rules.impliedRule(direction, hasPolicies ? "continue" : "allow", "forward-default"));
    return items;
  }

  #policyRules(policy: Policy, direction: Direction, items: ProgramItems): void {
    const list = policy[direction];
    let label: string | undefined;
    for (let index = 0; index < list.length; index++) {
      const rule = list[index];
      let forms = this.#rules.known(rule);
      if (forms === undefined) {
        label ??= policyLabel(policy);
        forms = this.#rules.policyRule(rule, { tier: policy.tier, policy: label, direction, index });
      }
      items.addForms(forms);
    }
  }

  /** `staged`: the policy that may be the reason why the tier ends here. */
  #endOfTier(direction: Direction, tier: string, staged: Policy | undefined): number {
    const rules = this.#rules;
    if (staged === undefined) return rules.impliedRule(direction, "deny", "end-of-tier", tier);
    const label = policyLabel(staged);
    const rule = rules.impliedRule(direction, "deny", "end-of-tier", `${tier} ${label}`);
    rules.info[rule] = { verdict: "deny", reason: "end-of-tier", direction, tier, rule: undefined, staged: label };
    return rule;
  }

  #failsafes({ policyClass, direction }: ProgramRequest, items: ProgramItems): void {
    const { failsafeInbound, failsafeOutbound } = this.#felix;
    const [own, other] = direction === "ingress" ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound];
    if (policyClass === "forward") return;
    const verdict = policyClass === "normal" ? "allow" : "continue";
    for (const port of own) items.add(this.#rules.failsafeRule(port, direction, verdict, "destination"));
    if (policyClass !== "untracked") return;
    for (const port of other) items.add(this.#rules.failsafeRule(port, direction, verdict, "source"));
  }

  #profiles(endpoint: Endpoint, direction: Direction, items: ProgramItems): void {
    for (const name of endpoint.profiles) {
      for (const [index, rule] of (this.#set.profiles.get(name)?.[direction] ?? []).entries()) {
        items.addForms(this.#rules.profileRule(rule, { tier: "", policy: name, direction, index }));
      }
    }
    items.add(this.#rules.impliedRule(direction, "deny", "no-policy"));
  }
}

function hasStaged(set: ResourceSet): boolean {
  return set.policies.some((policy) => policy.staged);
}

/** An endpoint's policies by what they judge. */
interface ApplyingPolicies {
  /** By ProgramKind: the policies that judge in its class and direction. */
  readonly judging: readonly (readonly Policy[])[];
  /** The classes that have a policy, in whichever direction. */
  readonly classes: ReadonlySet<PolicyClass>;
}

function applyingPolicies(endpoint: Endpoint, policies: readonly Policy[]): ApplyingPolicies {
  const judging: Policy[][] = [];
  for (const { kind } of PROGRAM_REQUESTS) judging[kind] = [];
  const classes = new Set<PolicyClass>();
  for (const policy of policies) {
    for (const { kind, policyClass, direction } of PROGRAM_REQUESTS) {
      if (!hasClass(policy, endpoint, policyClass)) continue;
      classes.add(policyClass);
      if (policy.types.includes(direction)) judging[kind].push(policy);
    }
  }
  return { judging, classes };
}

/** Would the pending program say the same as the one in force? */
function samePrograms(inForce: ApplyingPolicies, pending: ApplyingPolicies, { kind, policyClass }: ProgramRequest): boolean {
  if (policyClass === "forward" && inForce.classes.has(policyClass) !== pending.classes.has(policyClass)) return false;
  const before = inForce.judging[kind];
  const after = pending.judging[kind];
  return before.length === after.length && before.every((policy, i) => policy === after[i]);
}
