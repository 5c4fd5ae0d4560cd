/**
 * Which endpoints judge a packet at which hook, and what their decisions come
 * to: SEMANTICS 3.4 for the packet path. The packet is given by its
 * connection's original direction. One instance a worker; allocates nothing a
 * packet.
 */
import type { PacketView } from "../packet/view.ts";
import { Classifier } from "../tables/classifier.ts";
import { NO_PROGRAM, PROGRAM_KINDS, ProgramKind, RuleAction } from "../tables/compiled.ts";
import { pendingPlace } from "./hit-counts.ts";
import { findInterface, NO_ENDPOINT, Role, UNKNOWN_WORKLOAD, type InterfaceMap } from "./interface-map.ts";
import { OutcomeReasonIndex, OutcomeVerdict } from "./outcome.ts";
import { HostAction, type PublishedTables } from "./published.ts";

/** Step of the walk by the original direction: where the packet was when its connection began. */
export const WalkStep = { INPUT: 0, OUTPUT: 1, FORWARD: 2, PREDNAT: 3, UNTRACKED_IN: 4, UNTRACKED_OUT: 5 } as const;

const IPIP = 4;
const UDP = 17;
const ICMPV6 = 58;

export class PacketWalk {
  readonly classifier: Classifier;
  published: PublishedTables;
  interfaces: InterfaceMap;
  /** The outcome of the last walk: an OutcomeVerdict, an index in outcomeReasons. */
  verdict = 0;
  reason = 0;
  /** The rule that decided, -1 where none did. */
  rule = -1;
  /** The endpoint that judged last, -1 for none. */
  endpoint = -1;
  /** The interface that was not known, 0 if all were. */
  unknownInterface = 0;
  /** The rule of the first endpoint's pending decision that differs from its enforced one, -1 if none does. */
  pendingRule = -1;
  /** Called after each endpoint's decision, while its Log rules are at hand in `classifier.logged`. */
  onLogged: () => void = () => {};

  constructor(published: PublishedTables) {
    this.published = published;
    this.classifier = new Classifier(published.tables);
    this.interfaces = published.interfaces;
  }

  /** Asks these tables from now on. */
  use(published: PublishedTables): void {
    this.published = published;
    this.classifier.use(published.tables);
    this.interfaces = published.interfaces;
  }

  /**
   * `from` and `to` are interface indices, 0 where there is none; `accepted` is the packet's A (SEMANTICS 3.4).
   * A `reply` never passed the preDNAT hook by itself, so what that hook said of its connection is asked here; its
   * tuple is the one after DNAT, which is the same wherever nothing was translated.
   */
  walk(step: number, view: PacketView, from: number, to: number, accepted: boolean, reply: boolean): void {
    this.verdict = OutcomeVerdict.RETURN;
    this.reason = OutcomeReasonIndex.NO_ENDPOINT;
    this.rule = -1;
    this.endpoint = -1;
    this.unknownInterface = 0;
    this.pendingRule = -1;
    const fromRoles = from === 0 ? -1 : this.#roles(from);
    const toRoles = to === 0 ? -1 : this.#roles(to);
    if (this.unknownInterface !== 0) {
      this.#decide(OutcomeVerdict.DROP, OutcomeReasonIndex.UNKNOWN_INTERFACE);
      return;
    }
    let admitted = accepted;
    if (reply && (step === WalkStep.INPUT || step === WalkStep.FORWARD)) {
      const preDNAT = this.#role(fromRoles, Role.PREDNAT);
      if (preDNAT !== NO_ENDPOINT) {
        if (!this.#judge(preDNAT, ProgramKind.PREDNAT_INGRESS, view)) return;
        admitted = this.verdict === OutcomeVerdict.ACCEPT;
      }
    }
    switch (step) {
      case WalkStep.INPUT:
        this.#input(view, fromRoles, admitted);
        return;
      case WalkStep.OUTPUT:
        this.#output(view, toRoles);
        return;
      case WalkStep.FORWARD:
        this.#forward(view, fromRoles, toRoles, admitted);
        return;
      case WalkStep.PREDNAT:
        this.#judge(this.#role(fromRoles, Role.PREDNAT), ProgramKind.PREDNAT_INGRESS, view);
        return;
      case WalkStep.UNTRACKED_IN:
        this.#judge(this.#role(fromRoles, Role.UNTRACKED), ProgramKind.UNTRACKED_INGRESS, view);
        return;
      default:
        this.#judge(this.#role(toRoles, Role.UNTRACKED), ProgramKind.UNTRACKED_EGRESS, view);
    }
  }

  /** Takes over a decision made before for the same flow. */
  decideByRule(rule: number): void {
    const { tables, ruleReasons } = this.published;
    this.rule = rule;
    this.reason = ruleReasons[rule];
    const action = tables.rules.action[rule];
    if (action === RuleAction.ALLOW) this.verdict = OutcomeVerdict.ACCEPT;
    else if (action === RuleAction.CONTINUE) this.verdict = OutcomeVerdict.RETURN;
    else this.verdict = tables.rejectDenied ? OutcomeVerdict.REJECT : OutcomeVerdict.DROP;
  }

  /** I2: from a workload, its egress and then defaultEndpointToHostAction; I3, I4: the HostEndpoint's ingress. */
  #input(view: PacketView, roles: number, admitted: boolean): void {
    const workload = this.#role(roles, Role.WORKLOAD);
    if (workload === NO_ENDPOINT) {
      if (!admitted) this.#judge(this.#role(roles, Role.HOST), ProgramKind.NORMAL_INGRESS, view);
      else this.verdict = OutcomeVerdict.ACCEPT;
      return;
    }
    if (isWorkloadDiscovery(view)) {
      this.#decide(OutcomeVerdict.ACCEPT, OutcomeReasonIndex.NEIGHBOUR_DISCOVERY);
      return;
    }
    if (!this.#workloadAllows(workload, ProgramKind.NORMAL_EGRESS, view)) return;
    const { hostAction } = this.published;
    if (hostAction === HostAction.ACCEPT) return;
    this.rule = -1;
    const verdict = hostAction === HostAction.DROP ? OutcomeVerdict.DROP : OutcomeVerdict.RETURN;
    this.#decide(verdict, OutcomeReasonIndex.WORKLOAD_TO_HOST);
  }

  /** O2: host to local workload is never policed; O4: the HostEndpoint's egress. */
  #output(view: PacketView, roles: number): void {
    if (this.#role(roles, Role.WORKLOAD) !== NO_ENDPOINT) {
      this.#decide(OutcomeVerdict.ACCEPT, OutcomeReasonIndex.HOST_TO_WORKLOAD);
      return;
    }
    this.#judge(this.#role(roles, Role.HOST), ProgramKind.NORMAL_EGRESS, view);
  }

  /** F1 to F4: none may deny; what the last one leaves behind is the end of it (F6). */
  #forward(view: PacketView, from: number, to: number, accepted: boolean): void {
    const hostFrom = this.#role(from, Role.HOST);
    if (!accepted && hostFrom !== NO_ENDPOINT && !this.#judge(hostFrom, ProgramKind.FORWARD_INGRESS, view)) return;
    const workloadFrom = this.#role(from, Role.WORKLOAD);
    if (workloadFrom !== NO_ENDPOINT && !this.#workloadAllows(workloadFrom, ProgramKind.NORMAL_EGRESS, view)) return;
    const workloadTo = this.#role(to, Role.WORKLOAD);
    if (workloadTo !== NO_ENDPOINT && !this.#workloadAllows(workloadTo, ProgramKind.NORMAL_INGRESS, view)) return;
    const hostTo = this.#role(to, Role.HOST);
    if (hostTo !== NO_ENDPOINT) this.#judge(hostTo, ProgramKind.FORWARD_EGRESS, view);
    else if (accepted && this.endpoint === -1) this.verdict = OutcomeVerdict.ACCEPT;
  }

  #workloadAllows(workload: number, kind: number, view: PacketView): boolean {
    if (workload === UNKNOWN_WORKLOAD) this.#decide(OutcomeVerdict.DROP, OutcomeReasonIndex.UNKNOWN_WORKLOAD);
    else if (kind === ProgramKind.NORMAL_EGRESS && this.#isDeniedTunnel(view)) {
      this.#decide(OutcomeVerdict.DROP, OutcomeReasonIndex.WORKLOAD_TUNNEL);
    } else return this.#judge(workload, kind, view);
    return false;
  }

  /** SEMANTICS 3.2: a workload must not send VXLAN or IPIP, whose inner packets no policy would see. */
  #isDeniedTunnel(view: PacketView): boolean {
    const { ipip, vxlanPort } = this.published.deniedTunnels;
    if (view.protocol === IPIP) return ipip;
    return view.protocol === UDP && vxlanPort !== 0 && view.destinationPort === vxlanPort;
  }

  /** The endpoint's decision into verdict, reason and rule; false if it denies. */
  #judge(endpoint: number, kind: number, view: PacketView): boolean {
    if (endpoint === NO_ENDPOINT) return true;
    this.endpoint = endpoint;
    const { endpointPrograms, pendingPrograms } = this.published.tables;
    const at = endpoint * PROGRAM_KINDS + kind;
    this.decideByRule(this.classifier.classify(endpointPrograms[at], view));
    if (this.classifier.loggedCount > 0) this.onLogged();
    if (pendingPrograms.length !== 0 && pendingPrograms[at] !== NO_PROGRAM) this.#preview(pendingPrograms[at], view);
    return this.verdict === OutcomeVerdict.ACCEPT || this.verdict === OutcomeVerdict.RETURN;
  }

  /** Counts what the endpoint would have decided with its staged policies in force; what it decided stays. */
  #preview(program: number, view: PacketView): void {
    const { tables, ruleHits } = this.published;
    const { action } = tables.rules;
    const enforced = action[this.rule];
    const pending = this.classifier.classify(program, view);
    ruleHits[pendingPlace(action.length, pending, enforced)] += 1;
    const differs = (enforced === RuleAction.DENY) !== (action[pending] === RuleAction.DENY);
    if (differs && this.pendingRule < 0) this.pendingRule = pending;
  }

  #decide(verdict: number, reason: number): void {
    this.verdict = verdict;
    this.reason = reason;
  }

  #roles(index: number): number {
    const roles = findInterface(this.interfaces, index);
    if (roles < 0) this.unknownInterface = index;
    return roles;
  }

  #role(roles: number, role: number): number {
    return roles < 0 ? NO_ENDPOINT : this.interfaces[roles + role];
  }
}

/** SEMANTICS 3.4 I2: what a workload may always ask its host over IPv6; a router advertisement is not among it. */
function isWorkloadDiscovery(view: PacketView): boolean {
  if (view.protocol !== ICMPV6 || view.hasIcmp === 0) return false;
  const type = view.icmpType;
  return (type >= 130 && type <= 133) || type === 135 || type === 136;
}
