/**
 * Decision chains of the filter table: INPUT, FORWARD, OUTPUT and what
 * workloads send to this host. They have no way out but ACCEPT, DROP, REJECT,
 * the queue, or back to the base chain behind our jump for a RETURN verdict.
 */
import type { Family } from "../address/address.ts";
import { acceptEstablished } from "./established.ts";
import { answerMatches, openingMatches } from "./failsafe.ts";
import type { HookConfig } from "./hook-config.ts";
import { PacketVerdict } from "./marks.ts";
import { connectionMatch, fastPathMatch, queueRule, undecidedMatch, verdictMatch } from "./match.ts";
import { workloadNeighbourRules } from "./neighbour-discovery.ts";
import { gotoRule, hex, rule } from "./rule.ts";
import { secondLaneRules } from "./second-lane.ts";
import { acceptsBeforeRouting, governsLoopback, LOOPBACK, untracksOutbound } from "./scope.ts";
import { ALLOW_CHAIN, NEIGHBOUR_CHAIN, next, REJECT_CHAIN, RETURN_CHAIN } from "./verdict-chains.ts";

const MID_STREAM = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW";

export type FilterHook = "INPUT" | "FORWARD" | "OUTPUT";

/** DESIGN section 2 order; O1 and I3 of SEMANTICS 3.4 behind the fast path. */
export function filterDecision(config: HookConfig, hook: FilterHook, family: Family): string[] {
  return [
    // Both belong to one link, so there is none of it to forward.
    ...(family === 6 && hook !== "FORWARD" ? [rule("icmpv6", "-p ipv6-icmp", NEIGHBOUR_CHAIN)] : []),
    ...acceptEstablished(config),
    rule("fast-path", fastPathMatch(config), "ACCEPT"),
    ...acceptedRules(config, hook),
    ...failsafeRules(config, hook, family),
    ...refusalRules(config, hook, family),
    ...(hook === "OUTPUT"
      ? ownErrorMatches(family).map((match) => rule("error", `${match} -m conntrack --ctstate RELATED`, "ACCEPT"))
      : []),
    ...askRules(config, hook),
  ];
}

/**
 * SEMANTICS 3.4, I2: neither failsafes nor an acceptance by a HostEndpoint's
 * policy apply. What answers this host was asked for by it, and what it sends
 * to its workloads is never judged.
 */
export function workloadDecision(config: HookConfig, family: Family): string[] {
  return [
    ...(family === 6 ? workloadNeighbourRules() : []),
    ...acceptEstablished(config),
    rule("fast-path", fastPathMatch(config), "ACCEPT"),
    rule("answer", "-m conntrack --ctdir REPLY", "ACCEPT"),
    ...askRules(config, "INPUT"),
  ];
}

/** The kernel's own refusal of a rejected packet: REJECT in any hook sends it out through OUTPUT. */
export function refusalMatches(config: HookConfig, family: Family): string[] {
  const rejected = connectionMatch(config, config.marks.rejected);
  const unreachable =
    family === 4 ? "-p icmp -m icmp --icmp-type 3/3" : "-p ipv6-icmp -m icmp6 --icmpv6-type 1/4";
  return [`-p tcp -m tcp --tcp-flags RST RST ${rejected}`, `${unreachable} ${rejected}`];
}

/** I3, O1: accepted before routing, or untracked on the way out; by another generation means nothing. */
function acceptedRules(config: HookConfig, hook: FilterHook): string[] {
  const { marks, generation } = config;
  const possible = { INPUT: acceptsBeforeRouting, OUTPUT: untracksOutbound, FORWARD: () => false }[hook](config);
  if (!possible) return [];
  const acceptedBy = (of: number): string => `-m mark --mark ${hex(marks.acceptedMark(of))}/${hex(marks.acceptedMask)}`;
  return [
    rule("accepted", acceptedBy(generation), ALLOW_CHAIN),
    rule("accepted-next", acceptedBy(marks.nextGeneration(generation)), next(ALLOW_CHAIN)),
  ];
}

/** What opens a connection goes through ALLOW, so that ICMP errors about it pass too. */
function failsafeRules(config: HookConfig, hook: FilterHook, family: Family): string[] {
  if (hook === "FORWARD") return [];
  const direction = hook === "INPUT" ? "inbound" : "outbound";
  return [
    ...openingMatches(config, direction, family).map((match) => rule("failsafe", match, ALLOW_CHAIN)),
    ...answerMatches(config, direction, family).map((match) => rule("failsafe-reply", match, "ACCEPT")),
  ];
}

/** Where loopback is policed, the refusal of a local sender comes in again through INPUT. */
function refusalRules(config: HookConfig, hook: FilterHook, family: Family): string[] {
  if (hook === "FORWARD" || (hook === "INPUT" && !governsLoopback(config, config.input))) return [];
  const side = hook === "INPUT" ? `-i ${LOOPBACK} ` : "";
  return refusalMatches(config, family).map((match) => rule("refusal", `${side}${match}`, "ACCEPT"));
}

/**
 * What the kernel tells the sender of a packet it cannot pass on. It is about
 * connections that need not be ours to judge (a router's transit), and often
 * about a first packet, whose unconfirmed connection no queue may hold.
 */
export function ownErrorMatches(family: Family): string[] {
  const types = family === 4 ? ["3", "11", "12"] : ["1", "2", "3", "4"];
  const match = family === 4 ? "-p icmp -m icmp --icmp-type" : "-p ipv6-icmp -m icmp6 --icmpv6-type";
  return types.map((type) => `${match} ${type}`);
}

/** Chain in which a packet that brought no verdict is asked about. */
export function askChain(hook: FilterHook): string {
  return `RAMPART-${hook}-ASK`;
}

/** Tells userspace the packet's direction, where it may matter also what was accepted before, and hands it over. */
export function questionRules(config: HookConfig, hook: FilterHook): string[] {
  const { marks } = config;
  const keepAccepted = hook === "FORWARD" && acceptsBeforeRouting(config);
  // Set either way, so that a bit somebody left in the mark cannot turn a packet's direction round.
  const cleared = (marks.replyBit | marks.rawBit | (keepAccepted ? 0 : marks.acceptedBit)) >>> 0;
  return [
    rule("clear", "", `MARK --set-xmark 0x0/${hex(cleared)}`),
    rule("reply", "-m conntrack --ctdir REPLY", `MARK --set-xmark ${hex(marks.replyBit)}/${hex(marks.replyBit)}`),
    // What this host sends itself has one source.
    ...(hook === "OUTPUT" ? [] : secondLaneRules(config, hook)),
    queueRule(config),
  ];
}

/**
 * INVALID, the verdicts that came back, and the question. Most packets bring no verdict and are asked about at once;
 * a verdict of no generation in force is asked about again.
 */
function askRules(config: HookConfig, hook: FilterHook): string[] {
  const { marks, generation } = config;
  const following = marks.nextGeneration(generation);
  const carries = (code: number, of: number): string => verdictMatch(config, code, of);
  return [
    ...(config.dropInvalid ? [rule("invalid", "-m conntrack --ctstate INVALID", "DROP")] : []),
    ...(config.adoptOlder ? [] : [rule("mid-stream", MID_STREAM, "DROP")]),
    gotoRule("undecided", undecidedMatch(config), askChain(hook)),
    rule("allowed", carries(PacketVerdict.ALLOW, generation), ALLOW_CHAIN),
    rule("allowed-next", carries(PacketVerdict.ALLOW, following), next(ALLOW_CHAIN)),
    gotoRule("returned", carries(PacketVerdict.RETURN, generation), RETURN_CHAIN),
    gotoRule("returned-next", carries(PacketVerdict.RETURN, following), next(RETURN_CHAIN)),
    rule("rejected", carries(PacketVerdict.REJECT, generation), REJECT_CHAIN),
    rule("rejected-next", carries(PacketVerdict.REJECT, following), REJECT_CHAIN),
    ...questionRules(config, hook),
  ];
}
