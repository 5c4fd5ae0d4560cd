/**
 * Failsafe ports: what stays reachable on a HostEndpoint whatever the policies
 * say (SEMANTICS 3.6), and the other Felix settings in force on this node. Not
 * set means the defaults below; an empty list means none. The two never mix.
 */
import { cidrContains } from "../address/address.ts";
import type { Direction, FailsafePort, FelixConfiguration, ResourceSet } from "../resources/types.ts";
import type { PolicyClass, PolicyPacket } from "./decision.ts";

export interface EffectiveFelix {
  readonly failsafeInbound: readonly FailsafePort[];
  readonly failsafeOutbound: readonly FailsafePort[];
  readonly denyAction: "Drop" | "Reject";
  /** Interfaces whose names begin with one of these are workloads'. */
  readonly interfacePrefixes: readonly string[];
  /** What becomes of a workload's packet to this host that the workload's own policies allow. */
  readonly defaultEndpointToHostAction: "Drop" | "Accept" | "Return";
}

/** Calico's defaults; inbound has SSH and DHCP replies, outbound has DNS and DHCP requests. */
const DEFAULT_FAILSAFE_INBOUND: readonly FailsafePort[] = [
  ...ports("tcp", 22),
  ...ports("udp", 68),
  ...ports("tcp", 179, 2379, 2380, 5473, 6443, 6666, 6667),
];

const DEFAULT_FAILSAFE_OUTBOUND: readonly FailsafePort[] = [
  ...ports("udp", 53, 67),
  ...ports("tcp", 179, 2379, 2380, 5473, 6443, 6666, 6667),
];

/**
 * The settings in force on `node`: FelixConfiguration `node.<node>` over
 * `default` over the built-in values, field by field (SEMANTICS 1.13).
 */
export function effectiveFelix(set: ResourceSet, node: string): EffectiveFelix {
  const named = (name: string): FelixConfiguration | undefined =>
    set.felixConfigurations.find((configuration) => configuration.name === name);
  const own = named(`node.${node}`);
  const global = named("default");
  return {
    failsafeInbound: own?.failsafeInbound ?? global?.failsafeInbound ?? DEFAULT_FAILSAFE_INBOUND,
    failsafeOutbound: own?.failsafeOutbound ?? global?.failsafeOutbound ?? DEFAULT_FAILSAFE_OUTBOUND,
    denyAction: own?.denyAction ?? global?.denyAction ?? "Drop",
    interfacePrefixes: own?.interfacePrefixes ?? global?.interfacePrefixes ?? ["cali"],
    defaultEndpointToHostAction:
      own?.defaultEndpointToHostAction ?? global?.defaultEndpointToHostAction ?? "Drop",
  };
}

/**
 * Is the packet covered by a failsafe list of a HostEndpoint (SEMANTICS 3.2, 3.6)? By its destination port in the
 * list of its direction; untracked also by its source port in the other list, which is how replies look there;
 * forwarded never. The peer alone is compared with `net`.
 */
export function isFailsafe(
  felix: EffectiveFelix,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
): boolean {
  if (policyClass === "forward") return false;
  const { failsafeInbound, failsafeOutbound } = felix;
  const [own, other] =
    direction === "ingress" ? [failsafeInbound, failsafeOutbound] : [failsafeOutbound, failsafeInbound];
  const peer = { family: packet.family, value: direction === "ingress" ? packet.source : packet.destination };
  const covers = (list: readonly FailsafePort[], packetPort: number | undefined): boolean =>
    list.some(
      ({ protocol, port, net }) =>
        PROTOCOL_NUMBER[protocol] === packet.protocol &&
        port === packetPort &&
        (net === undefined || cidrContains(net, peer)),
    );
  return covers(own, packet.destinationPort) || (policyClass === "untracked" && covers(other, packet.sourcePort));
}

const PROTOCOL_NUMBER: Readonly<Record<FailsafePort["protocol"], number>> = { tcp: 6, udp: 17, sctp: 132 };

function ports(protocol: FailsafePort["protocol"], ...numbers: number[]): FailsafePort[] {
  return numbers.map((port) => ({ protocol, port, net: undefined }));
}
