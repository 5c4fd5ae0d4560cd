/**
 * Collects the distinct compiled rules of a compilation: policy and profile
 * rules, and the implied ones. A policy rule becomes one or more compiled
 * rules with its meaning: named ports and services multiply it (one for each
 * protocol and port the name stands for), negated named ports put rules before
 * it that jump over it.
 */
import { addressBits, type Address, type Cidr } from "../address/address.ts";
import type { Decision, RuleReference } from "../policy/decision.ts";
import { LabelIndex } from "../policy/label-index.ts";
import type { Direction, Endpoint, EntityRule, FailsafePort, NetworkSet, ResourceSet, Rule } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { AddressPredicates } from "./address-sets.ts";
import { ANY_PROTOCOL, RuleAction, type RuleInfo, type RuleTable } from "./compiled.ts";
import { PortGroups, type PortGroup } from "./port-groups.ts";
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

/** The compiled rules of one policy rule, in this order: `skips` jump behind the last of `matches`. */
export interface RuleForms {
  readonly skips: readonly number[];
  readonly matches: readonly number[];
}

/** One way to match one side of a rule: its addresses and ports, and the protocol that goes with the ports. */
interface SideForm {
  readonly address: number;
  readonly port: number;
  readonly protocol: number | undefined;
}

const ICMP = 1;
const ICMPV6 = 58;
const PROTOCOL_NUMBER = { tcp: 6, udp: 17, sctp: 132 } as const;
const ACTION = { Allow: RuleAction.ALLOW, Deny: RuleAction.DENY, Pass: RuleAction.JUMP, Log: RuleAction.LOG } as const;
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
  readonly #endpoints: LabelIndex<Endpoint>;
  readonly #networkSets: LabelIndex<NetworkSet>;
  readonly #portGroups: PortGroups;
  readonly #forms = new Map<Rule, RuleForms>();
  readonly #implied = new Map<string, number>();

  constructor(set: ResourceSet) {
    this.#endpoints = new LabelIndex<Endpoint>([...set.hostEndpoints, ...set.workloadEndpoints]);
    this.#networkSets = new LabelIndex(set.networkSets);
    this.#portGroups = new PortGroups(this.#endpoints);
  }

  /** The compiled rules of a policy's rule; the same rule has the same ones in every program. */
  policyRule(rule: Rule, reference: RuleReference): RuleForms {
    const { action } = rule;
    return this.#ruleForms(rule, ACTION[action], {
      verdict: VERDICT[action],
      reason: "policy",
      direction: reference.direction,
      tier: reference.tier,
      rule: reference,
    });
  }

  /** A profile's rule: Allow allows, everything else that ends evaluation denies (SEMANTICS 3.1); only a Log is named. */
  profileRule(rule: Rule, reference: RuleReference): RuleForms {
    const { direction } = reference;
    const allows = rule.action === "Allow";
    const action = rule.action === "Log" ? RuleAction.LOG : allows ? RuleAction.ALLOW : RuleAction.DENY;
    const verdict = rule.action === "Log" ? "log" : allows ? "allow" : "deny";
    return this.#ruleForms(rule, action, {
      verdict,
      reason: "profile",
      direction,
      tier: undefined,
      rule: verdict === "log" ? reference : undefined,
    });
  }

  /** SEMANTICS 3.6: protocol and port, the net on the peer's side; `verdict` is what a match comes to. */
  failsafeRule(port: FailsafePort, direction: Direction, verdict: "allow" | "continue", side: "source" | "destination"): number {
    const net = port.net === undefined ? "" : `${port.net.value}/${port.net.prefix}/${port.net.family}`;
    return this.#impliedRule(`failsafe:${verdict}:${side}:${direction}:${port.protocol}:${port.port}:${net}`, () => {
      const peer = port.net === undefined ? 0 : this.addresses.predicate([this.addresses.netSet([port.net])], []);
      const exactly = { include: [{ min: port.port, max: port.port }], exclude: [], whenAbsent: false };
      return [
        {
          ...ANY_PACKET,
          action: verdict === "allow" ? RuleAction.ALLOW : RuleAction.CONTINUE,
          protocol: PROTOCOL_NUMBER[port.protocol],
          source: direction === "ingress" ? peer : 0,
          destination: direction === "egress" ? peer : 0,
          sourcePort: side === "source" ? this.sourcePorts.add(exactly) : 0,
          destinationPort: side === "destination" ? this.destinationPorts.add(exactly) : 0,
        },
        { verdict, reason: "failsafe", direction, tier: undefined, rule: undefined },
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

  #ruleForms(rule: Rule, action: number, info: RuleInfo): RuleForms {
    const known = this.#forms.get(rule);
    if (known !== undefined) return known;
    const icmp = this.icmp.add({
      include: rule.icmp === undefined ? undefined : [icmpRange(rule.icmp)],
      exclude: rule.notIcmp === undefined ? [] : [icmpRange(rule.notIcmp)],
      whenAbsent: rule.icmp === undefined,
    });
    const families = ruleFamilies(rule);
    const matches: number[] = [];
    for (const source of this.#sideForms(rule.source, this.sourcePorts, rule, false)) {
      for (const destination of this.#sideForms(rule.destination, this.destinationPorts, rule, true)) {
        const protocol = joinProtocols([rule.protocol, source.protocol, destination.protocol]);
        if (protocol === "none") continue;
        matches.push(
          this.#add(
            {
              action,
              families,
              protocol,
              notProtocol: rule.notProtocol ?? ANY_PROTOCOL,
              source: source.address,
              destination: destination.address,
              sourcePort: source.port,
              destinationPort: destination.port,
              icmp,
            },
            info,
          ),
        );
      }
    }
    const skips = matches.length === 0 ? [] : [...this.#skips(rule, rule.source, false), ...this.#skips(rule, rule.destination, true)];
    const forms = { skips, matches };
    this.#forms.set(rule, forms);
    return forms;
  }

  /** Every way to match one side; none when its named ports or service stand for nothing. */
  #sideForms(entity: EntityRule, ports: ValuePredicates, rule: Rule, isDestination: boolean): SideForm[] {
    const { service, notPorts: exclude } = entity;
    if (service !== undefined && isDestination) {
      return PortGroups.ofBackends(service).map((group) => this.#groupForm(entity, group, ports, []));
    }
    const backends = service === undefined ? [] : [this.#addressSet(service.map((backend) => backend.address))];
    const address = this.#addressPredicate(entity, backends);
    if (entity.ports.length === 0 && entity.namedPorts.length === 0) {
      const port = exclude.length > 0 ? ports.add({ include: undefined, exclude, whenAbsent: false }) : 0;
      return [{ address, port, protocol: undefined }];
    }
    const forms: SideForm[] = [];
    if (entity.ports.length > 0) {
      const port = ports.add({ include: entity.ports, exclude, whenAbsent: false });
      forms.push({ address, port, protocol: undefined });
    }
    for (const group of this.#portGroups.find(entity.namedPorts, entity.selector, entity.notSelector, rule.protocol)) {
      forms.push(this.#groupForm(entity, group, ports, backends));
    }
    return forms;
  }

  #groupForm(entity: EntityRule, group: PortGroup, ports: ValuePredicates, also: readonly number[]): SideForm {
    const members = this.#addressSet(group.addresses);
    const include = [{ min: group.port, max: group.port }];
    return {
      address: this.#addressPredicate(entity, [...also, members]),
      port: ports.add({ include, exclude: entity.notPorts, whenAbsent: false }),
      protocol: group.protocol,
    };
  }

  /** Rules that jump over the rule for packets whose address, protocol and port a negated name stands for. */
  #skips(rule: Rule, entity: EntityRule, isDestination: boolean): number[] {
    const groups = this.#portGroups.find(entity.notNamedPorts, entity.selector, entity.notSelector, rule.protocol);
    return groups.map((group) => {
      const address = this.addresses.predicate([this.#addressSet(group.addresses)], []);
      const exactly = { include: [{ min: group.port, max: group.port }], exclude: [], whenAbsent: false };
      const side = isDestination
        ? { destination: address, destinationPort: this.destinationPorts.add(exactly) }
        : { source: address, sourcePort: this.sourcePorts.add(exactly) };
      return this.#add(
        { ...ANY_PACKET, action: RuleAction.JUMP, protocol: group.protocol, ...side },
        { verdict: "skip", reason: "policy", direction: "ingress", tier: undefined, rule: undefined },
      );
    });
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
  #addressPredicate(entity: EntityRule, also: readonly number[]): number {
    const include = [...also];
    const exclude: number[] = [];
    if (entity.nets.length > 0) include.push(this.addresses.netSet(entity.nets));
    if (entity.notNets.length > 0) exclude.push(this.addresses.netSet(entity.notNets));
    const { selector, notSelector } = entity;
    if (selector !== undefined) include.push(this.#selectorSet(selector, notSelector));
    else if (notSelector !== undefined) exclude.push(this.#selectorSet(notSelector, undefined));
    return this.addresses.predicate(include, exclude);
  }

  #selectorSet(selector: Selector, notSelector: Selector | undefined): number {
    const key = notSelector === undefined ? selector.key : `(${selector.key}) minus (${notSelector.key})`;
    return this.addresses.selectorSet(key, () => {
      const endpoints = this.#endpoints.select(selector.root);
      const sets = this.#networkSets.select(selector.root);
      if (notSelector === undefined) return [...endpoints.flatMap(hostPrefixes), ...sets.flatMap((set) => set.nets)];
      const without = new Set<Endpoint | NetworkSet>([
        ...this.#endpoints.select(notSelector.root),
        ...this.#networkSets.select(notSelector.root),
      ]);
      return [
        ...endpoints.filter((endpoint) => !without.has(endpoint)).flatMap(hostPrefixes),
        ...sets.filter((set) => !without.has(set)).flatMap((set) => set.nets),
      ];
    });
  }

  #addressSet(addresses: readonly Address[]): number {
    return this.addresses.netSet(addresses.map(hostPrefix));
  }
}

/** The one protocol all of them allow; "none" when they contradict one another. */
function joinProtocols(protocols: readonly (number | undefined)[]): number | "none" {
  let joined: number | undefined;
  for (const protocol of protocols) {
    if (protocol === undefined) continue;
    if (joined !== undefined && joined !== protocol) return "none";
    joined = protocol;
  }
  return joined ?? ANY_PROTOCOL;
}

function hostPrefixes(endpoint: Endpoint): Cidr[] {
  return (endpoint.kind === "HostEndpoint" ? endpoint.expectedIPs : endpoint.addresses).map(hostPrefix);
}

function hostPrefix(address: Address): Cidr {
  return { ...address, prefix: addressBits(address.family) };
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

function icmpRange(match: { type: number | undefined; code: number | undefined }): ValueRange {
  if (match.type === undefined) return { min: 0, max: 65535 };
  const base = match.type * 256;
  return match.code === undefined ? { min: base, max: base + 255 } : { min: base + match.code, max: base + match.code };
}
