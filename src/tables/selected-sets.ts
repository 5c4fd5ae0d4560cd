/**
 * What selectors and port names stand for, as elementary sets of addresses
 * (SEMANTICS 1.4, 1.9): every distinct question is answered once, and the
 * answers follow when endpoints and network sets change, by asking only the
 * questions that a changed one can matter to.
 */
import { addressBits, type Address, type Cidr } from "../address/address.ts";
import { LabelIndex } from "../policy/label-index.ts";
import type { Endpoint, EndpointPort, NetworkSet, ResourceSet } from "../resources/types.ts";
import type { Selector, SelectorNode } from "../selector/ast.ts";
import { matchesSelector } from "../selector/match.ts";
import type { AddressPredicates } from "./address-sets.ts";
import type { Change } from "./resource-changes.ts";
import { QuestionIndex, type Question } from "./question-index.ts";

/** Addresses whose port of that number and protocol has a name that was asked for. */
export interface PortGroup {
  readonly protocol: number;
  readonly port: number;
  readonly set: number;
}

interface SelectorQuestion extends Question {
  readonly set: number;
}

interface PortQuestion extends Question {
  readonly key: string;
  readonly names: readonly string[];
  readonly protocol: number | undefined;
  readonly groups: PortGroup[];
  /** Group to the number of ports that are in it. */
  readonly members: Map<PortGroup, number>;
}

type Member = Endpoint | NetworkSet;

/** A rule without a protocol means these when it names a port. */
const PORT_PROTOCOLS: readonly number[] = [6, 17, 132];
const EVERYTHING: SelectorNode = { op: "all" };

export class SelectedSets {
  readonly #addresses: AddressPredicates;
  readonly #endpoints: MemberList<Endpoint>;
  readonly #networkSets: MemberList<NetworkSet>;
  readonly #selectors = new QuestionIndex<SelectorQuestion>();
  readonly #selectorSets = new Map<string, number>();
  readonly #ports = new QuestionIndex<PortQuestion>();
  readonly #portQuestions = new Map<string, PortQuestion>();
  readonly #prefixes = new Map<Member, readonly Cidr[]>();

  constructor(set: ResourceSet, addresses: AddressPredicates) {
    this.#addresses = addresses;
    this.#endpoints = new MemberList<Endpoint>([...set.hostEndpoints, ...set.workloadEndpoints]);
    this.#networkSets = new MemberList(set.networkSets);
  }

  /** The set of what `selector` chooses and `notSelector` does not. */
  ofSelector(selector: Selector, notSelector: Selector | undefined): number {
    const key = notSelector === undefined ? `s:${selector.key}` : `s:(${selector.key}) minus (${notSelector.key})`;
    const known = this.#selectorSets.get(key);
    if (known !== undefined) return known;
    const set = this.#addresses.namedSet(key, () => []);
    const question = { set, root: selector.root, notRoot: notSelector?.root };
    this.#selectorSets.set(key, set);
    this.#selectors.add(question);
    for (const list of [this.#endpoints, this.#networkSets]) {
      for (const member of list.select(question)) this.#change(member, set, true);
    }
    return set;
  }

  /** For each protocol and port that the names stand for, the endpoints (of all without a selector) that have it. */
  ofPortNames(
    names: readonly string[],
    selector: Selector | undefined,
    notSelector: Selector | undefined,
    protocol: number | undefined,
  ): readonly PortGroup[] {
    if (names.length === 0) return [];
    const without = selector === undefined ? undefined : notSelector;
    const key = `p:${names.toSorted().join(",")};${selector?.key ?? ""};${without?.key ?? ""};${protocol ?? ""}`;
    let question = this.#portQuestions.get(key);
    if (question === undefined) {
      const root = selector?.root ?? EVERYTHING;
      question = { key, names, protocol, root, notRoot: without?.root, groups: [], members: new Map() };
      this.#portQuestions.set(key, question);
      this.#ports.add(question);
      for (const endpoint of this.#endpoints.select(question)) this.#changePorts(endpoint, question, true);
    }
    return question.groups;
  }

  /**
   * Takes members away and adds others. False if names stand for other protocols and ports now: then rules that were
   * made of them are out of date.
   */
  update(changes: {
    readonly endpoints: Change<Endpoint>;
    readonly networkSets: Change<NetworkSet>;
  }): boolean {
    let sameGroups = true;
    for (const endpoint of changes.endpoints.removed) {
      for (const question of this.#ports.asking(endpoint.labels)) {
        if (this.#changePorts(endpoint, question, false)) sameGroups = false;
      }
    }
    for (const endpoint of changes.endpoints.added) {
      for (const question of this.#ports.asking(endpoint.labels)) {
        if (this.#changePorts(endpoint, question, true)) sameGroups = false;
      }
    }
    for (const { removed, added } of [changes.endpoints, changes.networkSets]) {
      for (const member of removed) this.#changeSelected(member, false);
      for (const member of added) this.#changeSelected(member, true);
      for (const member of removed) this.#prefixes.delete(member);
    }
    this.#endpoints.change(changes.endpoints);
    this.#networkSets.change(changes.networkSets);
    return sameGroups;
  }

  #changeSelected(member: Member, added: boolean): void {
    for (const { set } of this.#selectors.asking(member.labels)) this.#change(member, set, added);
  }

  /** True if the question has a group more or less than before. */
  #changePorts(endpoint: Endpoint, question: PortQuestion, added: boolean): boolean {
    const before = question.groups.length;
    let emptied = false;
    for (const port of endpoint.ports) {
      if (!isAskedFor(port, question)) continue;
      const group = this.#group(question, port);
      const members = (question.members.get(group) ?? 0) + (added ? 1 : -1);
      question.members.set(group, members);
      if (members === 0) emptied = true;
      this.#change(endpoint, group.set, added);
    }
    return emptied || question.groups.length !== before;
  }

  #group(question: PortQuestion, { protocol, port }: EndpointPort): PortGroup {
    let group = question.groups.find((each) => each.protocol === protocol && each.port === port);
    if (group === undefined) {
      const set = this.#addresses.namedSet(`${question.key};${protocol}/${port}`, () => []);
      group = { protocol, port, set };
      question.groups.push(group);
    }
    return group;
  }

  #change(member: Member, set: number, added: boolean): void {
    let prefixes = this.#prefixes.get(member);
    if (prefixes === undefined) this.#prefixes.set(member, (prefixes = prefixesOf(member)));
    for (const prefix of prefixes) {
      if (added) this.#addresses.add(set, prefix);
      else this.#addresses.remove(set, prefix);
    }
  }
}

/** Changes kept beside the index until they are worth a new one. */
const MAX_BESIDE = 64;

/** All endpoints or all network sets, to be asked by selector. */
class MemberList<M extends Member> {
  #indexed: readonly M[];
  #index: LabelIndex<M> | undefined;
  #removed = new Set<M>();
  #added = new Set<M>();

  constructor(members: readonly M[]) {
    this.#indexed = members;
  }

  select({ root, notRoot }: Question): M[] {
    this.#index ??= new LabelIndex(this.#indexed);
    const chosen = this.#index.select(root).filter((member) => !this.#removed.has(member));
    for (const member of this.#added) if (matchesSelector(root, member.labels)) chosen.push(member);
    return notRoot === undefined ? chosen : chosen.filter((member) => !matchesSelector(notRoot, member.labels));
  }

  change({ removed, added }: Change<M>): void {
    for (const member of removed) if (!this.#added.delete(member)) this.#removed.add(member);
    for (const member of added) this.#added.add(member);
    if (this.#removed.size + this.#added.size <= MAX_BESIDE) return;
    this.#indexed = [...this.#indexed.filter((member) => !this.#removed.has(member)), ...this.#added];
    this.#index = undefined;
    this.#removed = new Set();
    this.#added = new Set();
  }
}

function isAskedFor({ name, protocol }: EndpointPort, question: PortQuestion): boolean {
  if (!question.names.includes(name)) return false;
  return question.protocol === undefined ? PORT_PROTOCOLS.includes(protocol) : protocol === question.protocol;
}

function prefixesOf(member: Member): readonly Cidr[] {
  if (member.kind === "HostEndpoint") return member.expectedIPs.map(hostPrefix);
  if (member.kind === "WorkloadEndpoint") return member.addresses.map(hostPrefix);
  return member.nets;
}

export function hostPrefix(address: Address): Cidr {
  return { ...address, prefix: addressBits(address.family) };
}
