/**
 * Tunnels between nodes (SEMANTICS 3.7, I1 and O3): packets of the ends that
 * are known pass, whatever the policies say; others may not end here. A family
 * in which no end is known is left to the policies.
 */
import type { Cidr, Family } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";
import type { HookConfig } from "./hook-config.ts";
import { fastPathMatch } from "./match.ts";
import { gotoRule, rule } from "./rule.ts";
import { LOOPBACK } from "./scope.ts";
import { ALLOW_CHAIN } from "./verdict-chains.ts";

export const TUNNEL_IN_CHAIN = "RAMPART-INPUT-TUNNEL";
/** Returns what goes to no known end: that is the policies' to judge. */
export const TUNNEL_OUT_CHAIN = "RAMPART-OUTPUT-TUNNEL";

/** In INPUT's dispatch, before everything else. */
export function tunnelInRules(config: HookConfig, family: Family): string[] {
  return tunnelMatches(config, family).map((match) => gotoRule("tunnel", match, TUNNEL_IN_CHAIN));
}

/** In OUTPUT's dispatch, where a local workload is not the receiver. */
export function tunnelOutRules(config: HookConfig, family: Family): string[] {
  return tunnelMatches(config, family).map((match) => rule("tunnel", match, TUNNEL_OUT_CHAIN));
}

export function tunnelIn(config: HookConfig, family: Family): string[] {
  return [
    ...(config.exemptLoopback ? [rule("loopback", `-i ${LOOPBACK}`, "RETURN")] : []),
    ...endRules(config, family, (end) => `-s ${end} -m addrtype --dst-type LOCAL`),
    rule("tunnel-stranger", "", "DROP"),
  ];
}

export function tunnelOut(config: HookConfig, family: Family): string[] {
  return endRules(config, family, (end) => `-d ${end} -m addrtype --src-type LOCAL`);
}

/** However many ends there are, they are gone through once a connection. */
function endRules(config: HookConfig, family: Family, match: (end: string) => string): string[] {
  return [
    ...(config.offload === "connmark" ? [rule("fast-path", fastPathMatch(config), "ACCEPT")] : []),
    ...endsOf(config, family).map((end) => {
      return rule("tunnel-end", match(formatCidr(end)), config.offload === "connmark" ? ALLOW_CHAIN : "ACCEPT");
    }),
  ];
}

function tunnelMatches(config: HookConfig, family: Family): string[] {
  const { tunnels } = config;
  if (tunnels === undefined || endsOf(config, family).length === 0) return [];
  return [
    ...(tunnels.ipip && family === 4 ? ["-p 4"] : []),
    ...(tunnels.vxlanPort === undefined ? [] : [`-p udp -m udp --dport ${tunnels.vxlanPort}`]),
  ];
}

function endsOf({ tunnels }: HookConfig, family: Family): Cidr[] {
  return (tunnels?.ends ?? []).filter((end) => end.family === family);
}
