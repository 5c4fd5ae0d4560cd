/**
 * Decision chains of the raw and mangle tables, before and after routing. All
 * they can do is drop, and say for the filter table that a packet is accepted;
 * every other packet goes on to the machine's own rules behind our jump, with
 * no verdict in its mark: INPUT would take one for its own. The kernel has no
 * REJECT here, so a refused packet is dropped.
 */
import type { Family } from "../address/address.ts";
import { passEstablished } from "./established.ts";
import { openingMatches, untrackedMatches } from "./failsafe.ts";
import type { PacketDirection } from "./failsafe.ts";
import { refusalMatches } from "./filter-decision.ts";
import type { HookConfig } from "./hook-config.ts";
import { PacketVerdict } from "./marks.ts";
import { aroundRoutingQueueRule, fastPathMatch, queueRule, verdictMatch } from "./match.ts";
import { neighbourRules } from "./neighbour-discovery.ts";
import { gotoRule, hex, rule } from "./rule.ts";
import { secondLaneRules } from "./second-lane.ts";
import { ADMIT_CHAIN, next, PASS_CHAIN, RETURN_CHAIN, UNTRACK_CHAIN } from "./verdict-chains.ts";

/**
 * R2 and its counterpart on the way out (SEMANTICS 3.2, UNTRACKED): before
 * conntrack, so there is no fast path, and each packet of a governed interface
 * is asked about, also those of tracked connections. That is the price of
 * untracked policy.
 */
export function untrackedDecision(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  const { marks } = config;
  const others = (marks.rawBit | marks.replyBit | marks.acceptedBit) >>> 0;
  return [
    ...(family === 6 ? neighbourRules(gotoRule, PASS_CHAIN) : []),
    ...untrackedMatches(config, direction, family).map((match) => gotoRule("failsafe", match, PASS_CHAIN)),
    ...verdictRules(config, UNTRACK_CHAIN, PASS_CHAIN, PASS_CHAIN),
    rule("stage", "", `MARK --set-xmark ${hex(marks.rawBit)}/${hex(others)}`),
    direction === "inbound" ? aroundRoutingQueueRule(config) : queueRule(config),
  ];
}

/**
 * M1 to M3. An established connection is spared the question under the
 * generation that filter has allowed it under, and in its reply direction; in
 * its original direction it is asked about once more when the generation has
 * moved, or INPUT could not know that it still is accepted. Without offload
 * each packet of that direction is asked about.
 */
export function preDNATDecision(config: HookConfig, family: Family): string[] {
  const accepted = hex(config.marks.acceptedBit);
  return [
    rule("accepted", `-m mark --mark ${accepted}/${accepted}`, "RETURN"),
    ...passEstablished(config),
    ...(config.offload === "connmark" ? [rule("fast-path", fastPathMatch(config), "RETURN")] : []),
    gotoRule("answer", "-m conntrack --ctdir REPLY", PASS_CHAIN),
    gotoRule("related", "-m conntrack --ctstate RELATED", PASS_CHAIN),
    ...(family === 6 ? neighbourRules(gotoRule, PASS_CHAIN) : []),
    ...openingMatches(config, "inbound", family).map((match) => gotoRule("failsafe", match, PASS_CHAIN)),
    ...(config.dropInvalid ? [rule("invalid", "-m conntrack --ctstate INVALID", "DROP")] : []),
    ...verdictRules(config, ADMIT_CHAIN, PASS_CHAIN, PASS_CHAIN),
    stageCleared(config),
    ...(config.offload === "connmark" ? secondLaneRules(config, "PREDNAT") : []),
    aroundRoutingQueueRule(config),
  ];
}

/** P2: OUTPUT's question, asked about the new destination and the new way out. */
export function postroutingDecision(config: HookConfig, family: Family): string[] {
  return [
    ...passEstablished(config),
    gotoRule("fast-path", fastPathMatch(config), PASS_CHAIN),
    ...openingMatches(config, "outbound", family).map((match) => gotoRule("failsafe", match, RETURN_CHAIN)),
    ...refusalMatches(config, family).map((match) => gotoRule("refusal", match, PASS_CHAIN)),
    ...verdictRules(config, RETURN_CHAIN, RETURN_CHAIN, next(RETURN_CHAIN)),
    stageCleared(config),
    aroundRoutingQueueRule(config),
  ];
}

/** Where each verdict that came back leads. */
function verdictRules(config: HookConfig, allowed: string, returned: string, returnedNext: string): string[] {
  const { generation } = config;
  const following = config.marks.nextGeneration(generation);
  return [
    gotoRule("allowed", verdictMatch(config, PacketVerdict.ALLOW, generation), allowed),
    gotoRule("allowed-next", verdictMatch(config, PacketVerdict.ALLOW, following), next(allowed)),
    gotoRule("returned", verdictMatch(config, PacketVerdict.RETURN, generation), returned),
    gotoRule("returned-next", verdictMatch(config, PacketVerdict.RETURN, following), returnedNext),
    rule("rejected", verdictMatch(config, PacketVerdict.REJECT, generation), "DROP"),
    rule("rejected-next", verdictMatch(config, PacketVerdict.REJECT, following), "DROP"),
  ];
}

/** Not from the raw table, not a reply, not accepted: whatever somebody left in the mark. */
function stageCleared({ marks }: HookConfig): string {
  const bits = (marks.rawBit | marks.replyBit | marks.acceptedBit) >>> 0;
  return rule("clear", "", `MARK --set-xmark 0x0/${hex(bits)}`);
}
