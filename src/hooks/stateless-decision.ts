/**
 * Decision chains without the kernel's connection tracking (`offload: none`):
 * every packet that is not settled by itself is queued, and the daemon accepts
 * or drops it there and then. Only REJECT and RETURN come back as marks, for
 * the chain to carry out. No rule here depends on the generation, so a change
 * of policy leaves the chains alone.
 */
import type { Family } from "../address/address.ts";
import type { PacketDirection } from "./failsafe.ts";
import type { FilterHook } from "./filter-decision.ts";
import { ownErrorMatches } from "./filter-decision.ts";
import type { HookConfig } from "./hook-config.ts";
import { PacketVerdict } from "./marks.ts";
import { anyVerdictMatch, aroundRoutingQueueRule, judgedMatch, queueRule } from "./match.ts";
import { workloadNeighbourRules } from "./neighbour-discovery.ts";
import { gotoRule, hex, rule } from "./rule.ts";
import { acceptsBeforeRouting, untracksInbound, untracksOutbound } from "./scope.ts";
import { statelessAnswerRules, statelessOpeningRules } from "./stateless-failsafe.ts";
import { ALLOW_CHAIN, NEIGHBOUR_CHAIN, next, PASS_CHAIN, REJECT_CHAIN, RETURN_CHAIN } from "./verdict-chains.ts";

/** Nobody jumps to it: that it exists makes the kernel put fragments together (SEMANTICS 3.7), as conntrack would. */
export const DEFRAGMENT_CHAIN = "RAMPART-DEFRAGMENT";

/** REJECT's reset has no socket, and where conntrack runs it shares an unconfirmed connection, which no queue may hold. */
const RESET_OF_REJECT = "-p tcp -m tcp --tcp-flags RST RST -m owner ! --socket-exists";

/** xt_socket asks for whole packets in the network namespace, wherever its rule stands. */
export function defragmentRules(): string[] {
  return [rule("defragment", "-m socket", "RETURN")];
}

export function statelessFilterDecision(config: HookConfig, hook: FilterHook, family: Family): string[] {
  return [
    gotoRule("judged", judgedMatch(config), judgedChain(hook)),
    ...untrackedRules(config, hook),
    ...(needsStage(config, hook) ? stageRules(config, hook !== "OUTPUT" && acceptsBeforeRouting(config)) : []),
    ...(hook === "FORWARD" && untracksInbound(config) ? [untrackedStage(config)] : []),
    // Both belong to one link, so there is none of it to forward.
    ...(family === 6 && hook !== "FORWARD" ? [rule("icmpv6", "-p ipv6-icmp", NEIGHBOUR_CHAIN)] : []),
    ...(hook === "FORWARD" ? [] : failsafeRules(config, hook === "INPUT" ? "inbound" : "outbound", family)),
    // Only the kernel and root can send these.
    ...(hook === "OUTPUT"
      ? [rule("refusal", RESET_OF_REJECT, "ACCEPT"), ...ownErrorMatches(family).map((match) => rule("error", match, "ACCEPT"))]
      : []),
    queueRule(config),
  ];
}

/** Chain that carries out the verdict of what comes back. */
export function judgedChain(hook: FilterHook): string {
  return `RAMPART-${hook}-JUDGED`;
}

/** A verdict that means nothing here is asked about again. */
export function statelessJudgedRules(config: HookConfig): string[] {
  return [...comeBackRules(config), ...stageRules(config, false), queueRule(config)];
}

/**
 * I2. What this host sends to its workloads is never judged, so only the kernel knows what a workload answers: here
 * conntrack is needed.
 */
export function statelessWorkloadDecision(config: HookConfig, family: Family): string[] {
  return [
    ...comeBackRules(config),
    ...stageRules(config, false),
    ...(family === 6 ? workloadNeighbourRules() : []),
    rule("answer", "-m conntrack --ctdir REPLY", "ACCEPT"),
    queueRule(config),
  ];
}

/** P2. In mangle, what is allowed goes on to the machine's own rules. */
export function statelessPostroutingDecision(config: HookConfig, family: Family): string[] {
  return [
    gotoRule("allowed", anyVerdictMatch(config, PacketVerdict.ALLOW), PASS_CHAIN),
    gotoRule("returned", anyVerdictMatch(config, PacketVerdict.RETURN), PASS_CHAIN),
    rule("rejected", anyVerdictMatch(config, PacketVerdict.REJECT), "DROP"),
    ...stageRules(config, false),
    ...statelessOpeningRules(config, "outbound", family, (match) => gotoRule("failsafe", match, PASS_CHAIN)),
    ...ownErrorMatches(family).map((match) => gotoRule("error", match, PASS_CHAIN)),
    aroundRoutingQueueRule(config),
  ];
}

function failsafeRules(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  return [
    ...statelessOpeningRules(config, direction, family, (match) => rule("failsafe", match, "ACCEPT")),
    ...statelessAnswerRules(config, direction, family),
  ];
}

function comeBackRules(config: HookConfig): string[] {
  return [
    gotoRule("returned", anyVerdictMatch(config, PacketVerdict.RETURN), RETURN_CHAIN),
    rule("rejected", anyVerdictMatch(config, PacketVerdict.REJECT), REJECT_CHAIN),
  ];
}

/** Accepted by untracked policy. What preDNAT policy accepts is queued with that in its mark, to become known. */
function untrackedRules(config: HookConfig, hook: FilterHook): string[] {
  const { marks, generation } = config;
  const possible = { INPUT: untracksInbound, OUTPUT: untracksOutbound, FORWARD: () => false }[hook](config);
  if (!possible) return [];
  const acceptedBy = (of: number): string =>
    `-m mark --mark ${hex(marks.acceptedMark(of))}/${hex(marks.acceptedMask)} -m conntrack --ctstate UNTRACKED`;
  return [
    rule("accepted", acceptedBy(generation), ALLOW_CHAIN),
    rule("accepted-next", acceptedBy(marks.nextGeneration(generation)), next(ALLOW_CHAIN)),
  ];
}

/**
 * The bits below mean something to userspace only after the raw and mangle hooks, and for what this host sends itself
 * over loopback, which any program with the right to may have marked.
 */
function needsStage(config: HookConfig, hook: FilterHook): boolean {
  return hook !== "FORWARD" || acceptsBeforeRouting(config) || untracksInbound(config);
}

/** Whatever somebody left in the mark. `keepAccepted`: userspace must see that bit. */
function stageRules({ marks }: HookConfig, keepAccepted: boolean): string[] {
  const bits = (marks.rawBit | marks.replyBit | (keepAccepted ? 0 : marks.acceptedBit)) >>> 0;
  return [rule("clear", "", `MARK --set-xmark 0x0/${hex(bits)}`)];
}

/** A forwarded packet outside connection tracking is judged by itself, each time. */
function untrackedStage({ marks }: HookConfig): string {
  return rule("untracked", "-m conntrack --ctstate UNTRACKED", `MARK --set-xmark ${hex(marks.rawBit)}/${hex(marks.rawBit)}`);
}
