/**
 * Failsafe ports where the kernel tracks no connections (`offload: none`).
 * TCP passes in the kernel: of the answers, a lone SYN is none. What has no
 * SYN is queued, so that the daemon knows whom an answer is for, and passes by
 * itself only while nobody reads the queue: an opening always, an answer from
 * an address that the other direction has spoken to lately (xt_recent).
 */
import type { Family } from "../address/address.ts";
import type { PacketDirection } from "./failsafe.ts";
import { goingOnMatch, opposite, portGroupMatch, portGroups } from "./failsafe.ts";
import type { HookConfig } from "./hook-config.ts";
import { queueTarget } from "./match.ts";
import { rule } from "./rule.ts";

/** As long as an answer may take. */
const RECENT_SECONDS = 60;
const FULL_MASK: Readonly<Record<Family, string>> = {
  4: "255.255.255.255",
  6: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/** Packets that open a failsafe connection, or go on with it; `accept` makes the rule that lets TCP pass. */
export function statelessOpeningRules(
  config: HookConfig,
  direction: PacketDirection,
  family: Family,
  accept: (match: string) => string,
): string[] {
  return portGroups(config, direction, family).map((group) => {
    const match = portGroupMatch(group, direction, "dport");
    if (group.protocol === "tcp") return accept(match);
    return rule("failsafe", `${match} ${recentMatch("--set", direction, direction, family)}`, queueTarget(config, true));
  });
}

/** Answers of the other direction's failsafe connections. */
export function statelessAnswerRules(config: HookConfig, direction: PacketDirection, family: Family): string[] {
  const list = opposite(direction);
  const lately = recentMatch(`--rcheck --seconds ${RECENT_SECONDS}`, list, direction, family);
  return portGroups(config, list, family).map((group) => {
    if (group.protocol === "tcp") return rule("failsafe-reply", goingOnMatch(group, direction), "ACCEPT");
    const match = portGroupMatch(group, direction, "sport");
    return rule("failsafe-reply", `${match} ${lately}`, queueTarget(config, true));
  });
}

/** The far address of a packet that goes this way, in the list of those that a direction's openings have. */
function recentMatch(action: string, list: PacketDirection, direction: PacketDirection, family: Family): string {
  const far = direction === "inbound" ? "--rsource" : "--rdest";
  return `-m recent ${action} --name rampart-${list} --mask ${FULL_MASK[family]} ${far}`;
}
