/**
 * The packet's way past the hooks, hook by hook (SEMANTICS 3.4): which
 * endpoints are asked, in which class and direction, and what their decisions
 * come to. For packets that conntrack calls NEW or UNTRACKED. What the kernel's
 * own rules settle before (connection states, reverse path, loopback, a host's
 * own neighbour discovery) does not come here. Part of the reference evaluator.
 */
import type { Direction, Endpoint, ResourceSet } from "../resources/types.ts";
import type { PolicyPacket } from "./decision.ts";
import {
  forwardingEndpoint,
  governingEndpoint,
  isWorkloadInterface,
  preDNATEndpoint,
  untrackedEndpoint,
  workloadEndpoint,
} from "./endpoint-choice.ts";
import type { EndpointChoice } from "./endpoint-choice.ts";
import { deniedTunnels, isDeniedTunnel } from "./encapsulation.ts";
import { effectiveFelix } from "./failsafe.ts";
import { asked, followedBy, settled, UNPOLICED } from "./judgement.ts";
import type { Judgement } from "./judgement.ts";

export type { Judgement } from "./judgement.ts";

/** The accept mark of SEMANTICS 3.4: untracked or preDNAT policy allowed the packet before it came here. */
export interface Accepted {
  readonly accepted?: boolean;
}

/** Raw PREROUTING (ingress) and raw OUTPUT (egress): `allow` leaves the packet untracked and sets the accept mark. */
export function judgeUntracked(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  interfaceName: string,
  direction: Direction,
  packet: PolicyPacket,
): Judgement {
  const endpoint = untrackedEndpoint(choice, interfaceName);
  return endpoint === undefined ? UNPOLICED : asked(set, node, endpoint, "untracked", direction, packet);
}

/** Mangle PREROUTING, M3, the packet as it came: `allow` sets the accept mark. */
export function judgePreDNAT(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  inInterface: string,
  packet: PolicyPacket,
): Judgement {
  const endpoint = preDNATEndpoint(choice, inInterface);
  return endpoint === undefined ? UNPOLICED : asked(set, node, endpoint, "preDNAT", "ingress", packet);
}

/** Filter INPUT, I2 to I4: a packet for this host that came in through `inInterface`. */
export function judgeInput(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  inInterface: string,
  packet: PolicyPacket,
  { accepted = false }: Accepted = {},
): Judgement {
  if (isWorkloadInterface(choice, inInterface)) {
    if (isWorkloadDiscovery(packet)) return settled("allow", "neighbour-discovery");
    const workload = judgeWorkload(set, choice, inInterface, "egress", packet);
    return followedBy(workload, hostAction(set, node));
  }
  if (accepted) return settled("allow", "accepted");
  const endpoint = governingEndpoint(choice, inInterface);
  return endpoint === undefined ? UNPOLICED : asked(set, node, endpoint, "normal", "ingress", packet);
}

/** Filter OUTPUT, O1 to O4: a packet of this host on its way to `outInterface`; `translated` if it was DNATed. */
export function judgeOutput(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  outInterface: string,
  packet: PolicyPacket,
  { accepted = false, translated = false }: Accepted & { readonly translated?: boolean } = {},
): Judgement {
  if (accepted) return settled("allow", "accepted");
  if (isWorkloadInterface(choice, outInterface)) return settled("return", "host-to-workload");
  return translated ? settled("return", "translated") : judgeLocalEgress(set, node, choice, outInterface, packet);
}

/** Mangle POSTROUTING, P2: a DNATed packet of this host, after DNAT, on the interface it then leaves through. */
export function judgeTranslatedOutput(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  outInterface: string,
  packet: PolicyPacket,
): Judgement {
  if (isWorkloadInterface(choice, outInterface)) return settled("return", "host-to-workload");
  return judgeLocalEgress(set, node, choice, outInterface, packet);
}

/**
 * Filter FORWARD, F1 to F4 and F6: a packet that is routed through this host.
 * None may deny it; what the last one that was asked leaves behind is the end
 * of it. The accept mark spares it the ingress policy of the host's interface.
 */
export function judgeForward(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  inInterface: string,
  outInterface: string,
  packet: PolicyPacket,
  { accepted = false }: Accepted = {},
): Judgement {
  const host = (name: string, direction: Direction): (() => Judgement) | undefined => {
    const endpoint = forwardingEndpoint(choice, name);
    return endpoint && (() => asked(set, node, endpoint, "forward", direction, packet));
  };
  const workload = (name: string, direction: Direction): (() => Judgement) | undefined =>
    isWorkloadInterface(choice, name) ? () => judgeWorkload(set, choice, name, direction, packet) : undefined;
  return [
    accepted ? undefined : host(inInterface, "ingress"),
    workload(inInterface, "egress"),
    workload(outInterface, "ingress"),
    host(outInterface, "egress"),
  ].reduce(followedBy, accepted ? settled("allow", "accepted") : UNPOLICED);
}

export interface Connection {
  readonly source: Endpoint | undefined;
  readonly destination: Endpoint | undefined;
  readonly packet: PolicyPacket;
}

/**
 * A connection from end to end, whichever node either end is on: the egress
 * policies of the source, then the ingress policies of the destination, both of
 * class normal; both must allow. Between a host and its own workload it is as
 * O2 and I2 have it. Never `return`: what nothing denies is allowed.
 */
export function judgeConnection(set: ResourceSet, { source, destination, packet }: Connection): Judgement {
  if (source !== undefined && source === destination && packet.source === packet.destination) {
    return settled("allow", "same-endpoint", source);
  }
  const local = source !== undefined && source.node === destination?.node;
  if (local && source.kind === "HostEndpoint" && destination?.kind === "WorkloadEndpoint") {
    return settled("allow", "host-to-workload", destination);
  }
  const toHost = local && source.kind === "WorkloadEndpoint" && destination?.kind === "HostEndpoint";
  if (toHost && isWorkloadDiscovery(packet)) return settled("allow", "neighbour-discovery", source);
  const { verdict, ...rest } = [
    source && (() => judgeEnd(set, source, "egress", packet)),
    toHost ? hostAction(set, source.node) : destination && (() => judgeEnd(set, destination, "ingress", packet)),
  ].reduce(followedBy, UNPOLICED);
  return { ...rest, verdict: verdict === "deny" ? "deny" : "allow" };
}

/** Local traffic of one end; its endpoint's own node has the failsafe ports that count. */
function judgeEnd(set: ResourceSet, endpoint: Endpoint, direction: Direction, packet: PolicyPacket): Judgement {
  if (endpoint.kind === "WorkloadEndpoint" && direction === "egress" && isEncapsulated(set, endpoint.node, packet)) {
    return settled("deny", "encapsulation", endpoint);
  }
  return asked(set, endpoint.node, endpoint, "normal", direction, packet);
}

function isEncapsulated(set: ResourceSet, node: string, packet: PolicyPacket): boolean {
  return isDeniedTunnel(deniedTunnels(effectiveFelix(set, node)), packet);
}

function judgeWorkload(
  set: ResourceSet,
  choice: EndpointChoice,
  interfaceName: string,
  direction: Direction,
  packet: PolicyPacket,
): Judgement {
  const endpoint = workloadEndpoint(choice, interfaceName);
  return endpoint === undefined ? settled("deny", "unknown-workload") : judgeEnd(set, endpoint, direction, packet);
}

function judgeLocalEgress(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  outInterface: string,
  packet: PolicyPacket,
): Judgement {
  const endpoint = governingEndpoint(choice, outInterface);
  return endpoint === undefined ? UNPOLICED : asked(set, node, endpoint, "normal", "egress", packet);
}

/** I2: what becomes of a workload's packet to its host; Accept leaves it as the workload's policies had it. */
function hostAction(set: ResourceSet, node: string): (() => Judgement) | undefined {
  switch (effectiveFelix(set, node).defaultEndpointToHostAction) {
    case "Accept":
      return undefined;
    case "Drop":
      return () => settled("deny", "workload-to-host");
    case "Return":
      return () => settled("return", "workload-to-host");
  }
}

const ICMPV6 = 58;
/** MLD, router solicitation, neighbour solicitation and advertisement; not a router advertisement. */
const WORKLOAD_DISCOVERY: readonly (number | undefined)[] = [130, 131, 132, 133, 135, 136];

function isWorkloadDiscovery({ family, protocol, icmpType }: PolicyPacket): boolean {
  return family === 6 && protocol === ICMPV6 && WORKLOAD_DISCOVERY.includes(icmpType);
}
