/**
 * Collects the distinct compiled rules of a compilation: policy and profile
 * rules, and the implied ones. A policy rule becomes one or more compiled
 * rules with its meaning: named ports and services multiply it (one for each
 * protocol and port the name stands for), negated named ports put rules before
 * it that jump over it.
 */
import type { Address } from "../address/address.ts";
import type { Decision, RuleReference } from "../policy/decision.ts";
import type { Direction, EntityRule, FailsafePort, Rule, ServiceBackend } from "../resources/types.ts";
import type { AddressPredicates } from "./address-sets.ts";
import { RuleAction, type RuleInfo, type RuleTable } from "./compiled.ts";
import { ANY_PROTOCOL, MatchForms, type MatchForm } from "./match-forms.ts";
import type { RuleKey } from "./program-block.ts";
import { hostPrefix, type PortGroup, type SelectedSets } from "./selected-sets.ts";
import { sharedUint32, sharedUint8 } from "./shared-arrays.ts";
import { ValuePredicates, type ValueRange } from "./value-classes.ts";

/** A compiled rule before it has a number. */
type BuiltRule = MatchForm & { readonly action: number; readonly source: number; readonly destination: number };

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

/** A rule nobody is told about. */
const SKIP: RuleInfo = { verdict: "skip", reason: "policy", direction: "ingress", tier: undefined, rule: undefined };

export class RuleBuilder {
  readonly sourcePorts = new ValuePredicates();
  readonly destinationPorts = new ValuePredicates();
  readonly icmp = new ValuePredicates();
  readonly forms = new MatchForms();
  /** By rule id: what the index of a program needs, and what the rule means. */
  readonly keys: RuleKey[] = [];
  readonly info: RuleInfo[] = [];
  readonly #actions: number[] = [];
  #unused = 0;
  #table: RuleTable | undefined;
  readonly #addresses: AddressPredicates;
  readonly #selected: SelectedSets;
  readonly #ruleForms = new Map<Rule, RuleForms>();
  readonly #implied = new Map<string, number>();

  constructor(addresses: AddressPredicates, selected: SelectedSets) {
    this.#addresses = addresses;
    this.#selected = selected;
  }

  /** The compiled rules of a policy's rule; the same rule has the same ones in every program. */
  policyRule(rule: Rule, reference: RuleReference): RuleForms {
    const { action } = rule;
    return this.#formsOf(rule, ACTION[action], {
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
    return this.#formsOf(rule, action, {
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
      const peer = port.net === undefined ? 0 : this.#addresses.predicate([this.#addresses.netSet([port.net])], []);
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

  /** How many of `info` stand for rules that are gone. */
  get unused(): number {
    return this.#unused;
  }

  /** These rules are gone: no program that is made from now on has them. */
  release(gone: readonly Rule[]): void {
    for (const rule of gone) {
      const forms = this.#ruleForms.get(rule);
      if (forms === undefined) continue;
      this.#ruleForms.delete(rule);
      for (const id of [...forms.skips, ...forms.matches]) {
        this.info[id] = SKIP;
        this.#unused++;
      }
    }
  }

  table(): RuleTable {
    if (this.#table?.action.length === this.keys.length) return this.#table;
    return (this.#table = { action: sharedUint8(this.#actions), form: sharedUint32(this.keys.map(({ form }) => form)) });
  }

  #formsOf(rule: Rule, action: number, info: RuleInfo): RuleForms {
    const known = this.#ruleForms.get(rule);
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
    const forms = { skips: kept(skips), matches: kept(matches) };
    this.#ruleForms.set(rule, forms);
    return forms;
  }

  /** Every way to match one side; none when its named ports or service stand for nothing. */
  #sideForms(entity: EntityRule, ports: ValuePredicates, rule: Rule, isDestination: boolean): SideForm[] {
    const { service, notPorts: exclude } = entity;
    if (service !== undefined && isDestination) {
      return this.#backendGroups(service).map((group) => this.#groupForm(entity, group, ports, []));
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
    for (const group of this.#selected.ofPortNames(entity.namedPorts, entity.selector, entity.notSelector, rule.protocol)) {
      forms.push(this.#groupForm(entity, group, ports, backends));
    }
    return forms;
  }

  #groupForm(entity: EntityRule, group: PortGroup, ports: ValuePredicates, also: readonly number[]): SideForm {
    const include = [{ min: group.port, max: group.port }];
    return {
      address: this.#addressPredicate(entity, [...also, group.set]),
      port: ports.add({ include, exclude: entity.notPorts, whenAbsent: false }),
      protocol: group.protocol,
    };
  }

  /** Rules that jump over the rule for packets whose address, protocol and port a negated name stands for. */
  #skips(rule: Rule, entity: EntityRule, isDestination: boolean): number[] {
    const groups = this.#selected.ofPortNames(entity.notNamedPorts, entity.selector, entity.notSelector, rule.protocol);
    return groups.map((group) => {
      const address = this.#addresses.predicate([group.set], []);
      const exactly = { include: [{ min: group.port, max: group.port }], exclude: [], whenAbsent: false };
      const side = isDestination
        ? { destination: address, destinationPort: this.destinationPorts.add(exactly) }
        : { source: address, sourcePort: this.sourcePorts.add(exactly) };
      return this.#add(
        { ...ANY_PACKET, action: RuleAction.JUMP, protocol: group.protocol, ...side },
        SKIP,
      );
    });
  }

  /** The backends of a service by protocol and port. */
  #backendGroups(backends: readonly ServiceBackend[]): PortGroup[] {
    const groups = new Map<number, { readonly protocol: number; readonly port: number; readonly addresses: Address[] }>();
    for (const { protocol, port, address } of backends) {
      const key = protocol * 65536 + port;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { protocol, port, addresses: [address] });
      else group.addresses.push(address);
    }
    return [...groups.values()].map(({ protocol, port, addresses }) => ({ protocol, port, set: this.#addressSet(addresses) }));
  }

  #impliedRule(key: string, make: () => [BuiltRule, RuleInfo]): number {
    let id = this.#implied.get(key);
    if (id === undefined) {
      id = this.#add(...make());
      this.#implied.set(key, id);
    }
    return id;
  }

  #add({ action, source, destination, ...form }: BuiltRule, info: RuleInfo): number {
    this.#actions.push(action);
    this.keys.push({ source, destination, destinationPort: form.destinationPort, form: this.forms.add(form) });
    this.info.push(info);
    return this.info.length - 1;
  }

  /** SEMANTICS 1.9: notSelector narrows a positive selector by labels, or alone excludes by address. */
  #addressPredicate(entity: EntityRule, also: readonly number[]): number {
    const include = [...also];
    const exclude: number[] = [];
    if (entity.nets.length > 0) include.push(this.#addresses.netSet(entity.nets));
    if (entity.notNets.length > 0) exclude.push(this.#addresses.netSet(entity.notNets));
    const { selector, notSelector } = entity;
    if (selector !== undefined) include.push(this.#selected.ofSelector(selector, notSelector));
    else if (notSelector !== undefined) exclude.push(this.#selected.ofSelector(notSelector, undefined));
    return this.#addresses.predicate(include, exclude);
  }

  #addressSet(addresses: readonly Address[]): number {
    return this.#addresses.netSet(addresses.map(hostPrefix));
  }
}

const NONE: readonly never[] = [];

/** A list to be kept for long, without the room that appending leaves. */
function kept(list: readonly number[]): readonly number[] {
  return list.length === 0 ? NONE : list.slice();
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
