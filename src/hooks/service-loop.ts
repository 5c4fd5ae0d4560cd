/**
 * SEMANTICS 3.4, F5: a packet to the address of a service that nothing has
 * translated would be routed to whoever announces the service, who sends it
 * back. Asked of every forwarded packet, before the policies: what they deny
 * is dropped as well, only that Reject answers it here.
 */
import type { Family } from "../address/address.ts";
import { formatCidr } from "../address/address.ts";
import type { HookConfig } from "./hook-config.ts";
import { gotoRule, rule } from "./rule.ts";
import { REJECT_CHAIN } from "./verdict-chains.ts";

export function serviceLoopRules({ serviceLoop }: HookConfig, family: Family): string[] {
  const nets = [...new Set((serviceLoop?.nets ?? []).filter((net) => net.family === family).map(formatCidr))];
  return nets.toSorted().map((net) => {
    const match = `-d ${net} -m conntrack ! --ctstate DNAT`;
    return serviceLoop?.reject === true
      ? gotoRule("service-loop", match, REJECT_CHAIN)
      : rule("service-loop", match, "DROP");
  });
}
