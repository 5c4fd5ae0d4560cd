/** Collects the distinct rules of a compilation, policy rules and implied ones, with their predicates. */
import { addressBits, type Cidr } from "../address/address.ts";
import type { Decision, RuleReference } from "../policy/decision.ts";
import type { EntityRule, FailsafePort, GlobalNetworkPolicy, Direction, ResourceSet, Rule } from "../resources/types.ts";
import { matchesSelector } from "../selector/match.ts";
import type { SelectorNode } from "../selector/ast.ts";
import { AddressPredicates } from "./address-sets.ts";
import { ANY_PROTOCOL, RuleAction, type RuleInfo, type RuleTable } from "./compiled.ts";
import { sharedInt16, sharedUint32, sharedUint8 } from "./shared-arrays.ts";
import { ValuePredicates, type ValueRange } from "./value-classes.ts";

interface BuiltRule {
  readonly action: number;
  readonly families: number;
  readonly protocol: number;
  readonly notProtocol: number;
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmp: number;
}

const ICMP = 1;
const ICMPV6 = 58;
const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;
const ACTION = { Allow: RuleAction.ALLOW, Deny: RuleAction.DENY, Pass: RuleAction.PASS, Log: RuleAction.LOG } as const;
const VERDICT = { Allow: "allow", Deny: "deny", Pass: "pass", Log: "log" } as const;
const ANY_PACKET = {
  families: 3,
  protocol: ANY_PROTOCOL,
  notProtocol: ANY_PROTOCOL,
  source: 0,
  destination: 0,
  sourcePort: 0,
  destinationPort: 0,
  icmp: 0,
};

export class RuleBuilder {
  readonly addresses = new AddressPredicates();
  readonly sourcePorts = new ValuePredicates();
  readonly destinationPorts = new ValuePredicates();
  readonly icmp = new ValuePredicates();
  readonly built: BuiltRule[] = [];
  readonly info: RuleInfo[] = [];
  readonly #set: ResourceSet;
  readonly #policyRules = new Map<Rule, number>();
  readonly #implied = new Map<string, number>();

  constructor(set: ResourceSet) {
    this.#set = set;
  }

  /** The id of a policy's rule; the same rule has one id in every program. */
  policyRule(policy: GlobalNetworkPolicy, direction: Direction, index: number): number {
    const rule = policy[direction][index];
    let id = this.#policyRules.get(rule);
    if (id === undefined) {
      const reference: RuleReference = { tier: policy.tier, policy: policy.name, direction, index };
      id = this.#add(
        {
          action: ACTION[rule.action],
          families: ruleFamilies(rule),
          protocol: rule.protocol ?? ANY_PROTOCOL,
          notProtocol: rule.notProtocol ?? ANY_PROTOCOL,
          source: this.#entity(rule.source),
          destination: this.#entity(rule.destination),
          sourcePort: portPredicate(this.sourcePorts, rule.source),
          destinationPort: portPredicate(this.destinationPorts, rule.destination),
          icmp: this.icmp.add({
            include: rule.icmp === undefined ? undefined : [icmpRange(rule.icmp)],
            exclude: rule.notIcmp === undefined ? [] : [icmpRange(rule.notIcmp)],
            whenAbsent: rule.icmp === undefined,
          }),
        },
        { verdict: VERDICT[rule.action], reason: "policy", direction, tier: policy.tier, rule: reference },
      );
      this.#policyRules.set(rule, id);
    }
    return id;
  }

  /** SEMANTICS 3.6: protocol and destination port, the net on the peer's side. */
  failsafeRule(port: FailsafePort, direction: Direction): number {
    const net = port.net === undefined ? "" : `${port.net.value}/${port.net.prefix}/${port.net.family}`;
    return this.#impliedRule(`failsafe:${direction}:${port.protocol}:${port.port}:${net}`, () => {
      const peer = port.net === undefined ? 0 : this.addresses.predicate([this.addresses.netSet([port.net])], []);
      return [
        {
          ...ANY_PACKET,
          action: RuleAction.ALLOW,
          protocol: PROTOCOL_NUMBER[port.protocol],
          source: direction === "ingress" ? peer : 0,
          destination: direction === "egress" ? peer : 0,
          destinationPort: this.destinationPorts.add({
            include: [{ min: port.port, max: port.port }],
            exclude: [],
            whenAbsent: false,
          }),
        },
        { verdict: "allow", reason: "failsafe", direction, tier: undefined, rule: undefined },
      ];
    });
  }

  /** A rule every packet matches: what happens where no policy rule decides. */
  impliedRule(direction: Direction, verdict: Decision["verdict"], reason: Decision["reason"], tier?: string): number {
    const action = { allow: RuleAction.ALLOW, deny: RuleAction.DENY, continue: RuleAction.CONTINUE }[verdict];
    return this.#impliedRule(`${direction}:${verdict}:${reason}:${tier ?? ""}`, () => [
      { ...ANY_PACKET, action },
      { verdict, reason, direction, tier, rule: undefined },
    ]);
  }

  table(): RuleTable {
    const column = (field: keyof BuiltRule): number[] => this.built.map((rule) => rule[field]);
    return {
      action: sharedUint8(column("action")),
      families: sharedUint8(column("families")),
      protocol: sharedInt16(column("protocol")),
      notProtocol: sharedInt16(column("notProtocol")),
      sourcePort: sharedUint32(column("sourcePort")),
      icmp: sharedUint32(column("icmp")),
    };
  }

  #impliedRule(key: string, make: () => [BuiltRule, RuleInfo]): number {
    let id = this.#implied.get(key);
    if (id === undefined) {
      id = this.#add(...make());
      this.#implied.set(key, id);
    }
    return id;
  }

  #add(rule: BuiltRule, info: RuleInfo): number {
    this.built.push(rule);
    this.info.push(info);
    return this.built.length - 1;
  }

  /** SEMANTICS 1.9: notSelector narrows a positive selector by labels, or alone excludes by address. */
  #entity(entity: EntityRule): number {
    const include: number[] = [];
    const exclude: number[] = [];
    if (entity.nets.length > 0) include.push(this.addresses.netSet(entity.nets));
    if (entity.notNets.length > 0) exclude.push(this.addresses.netSet(entity.notNets));
    const { selector, notSelector } = entity;
    if (selector !== undefined) {
      const key = notSelector === undefined ? selector.key : `(${selector.key}) minus (${notSelector.key})`;
      include.push(this.addresses.selectorSet(key, () => this.#members(selector.root, notSelector?.root)));
    } else if (notSelector !== undefined) {
      exclude.push(this.addresses.selectorSet(notSelector.key, () => this.#members(notSelector.root, undefined)));
    }
    return this.addresses.predicate(include, exclude);
  }

  #members(selector: SelectorNode, notSelector: SelectorNode | undefined): Cidr[] {
    const picks = (labels: Readonly<Record<string, string>>): boolean =>
      matchesSelector(selector, labels) && (notSelector === undefined || !matchesSelector(notSelector, labels));
    const members: Cidr[] = [];
    for (const endpoint of this.#set.hostEndpoints) {
      if (!picks(endpoint.labels)) continue;
      for (const ip of endpoint.expectedIPs) members.push({ ...ip, prefix: addressBits(ip.family) });
    }
    for (const set of this.#set.networkSets) if (picks(set.labels)) members.push(...set.nets);
    return members;
  }
}

/**
 * Bits of the families the rule exists in (SEMANTICS 1.4): ICMP is IPv4 and ICMPv6 is IPv6 whatever else the rule
 * says, and a list of nets without a member of a family drops the rule there.
 */
function ruleFamilies(rule: Rule): number {
  let families = rule.ipVersion === 4 ? 1 : rule.ipVersion === 6 ? 2 : 3;
  if (rule.protocol === ICMP) families &= 1;
  if (rule.protocol === ICMPV6) families &= 2;
  for (const entity of [rule.source, rule.destination]) {
    for (const nets of [entity.nets, entity.notNets]) {
      if (nets.length > 0) families &= nets.reduce((bits, net) => bits | (net.family === 4 ? 1 : 2), 0);
    }
  }
  return families;
}

function portPredicate(predicates: ValuePredicates, entity: EntityRule): number {
  if (entity.ports.length === 0 && entity.notPorts.length === 0) return 0;
  return predicates.add({
    include: entity.ports.length === 0 ? undefined : entity.ports,
    exclude: entity.notPorts,
    whenAbsent: false,
  });
}

function icmpRange(match: { type: number | undefined; code: number | undefined }): ValueRange {
  if (match.type === undefined) return { min: 0, max: 65535 };
  const base = match.type * 256;
  return match.code === undefined ? { min: base, max: base + 255 } : { min: base + match.code, max: base + match.code };
}
