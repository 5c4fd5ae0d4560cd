/**
 * What holds of a workload's packet whatever its policies say: it may send no
 * tunnel packets (SEMANTICS 3.2), and its host always answers its IPv6
 * neighbour discovery and multicast listener reports (3.4, I2).
 */
import type { PolicyPacket } from "../policy/decision.ts";
import type { Stage } from "./course.ts";

export type BuiltInReason = "encapsulation" | "neighbour-discovery";

export type PacketKind = Pick<PolicyPacket, "family" | "protocol" | "destinationPort" | "icmpType">;

const IPIP = 4;
const UDP = 17;
const ICMPV6 = 58;
const VXLAN_PORT = 4789;
const DISCOVERY: ReadonlySet<number | undefined> = new Set([130, 131, 132, 133, 135, 136]);

/** Why the stage's policies are not asked; undefined if they are. */
export function builtIn({ endpoint, direction, hook }: Stage, packet: PacketKind): BuiltInReason | undefined {
  if (endpoint.kind !== "WorkloadEndpoint" || direction !== "egress") return undefined;
  const { protocol } = packet;
  if (protocol === IPIP || (protocol === UDP && packet.destinationPort === VXLAN_PORT)) return "encapsulation";
  const toHost = hook === "input" && packet.family === 6;
  return toHost && protocol === ICMPV6 && DISCOVERY.has(packet.icmpType) ? "neighbour-discovery" : undefined;
}

export function builtInVerdict(reason: BuiltInReason): "deny" | "exempt" {
  return reason === "encapsulation" ? "deny" : "exempt";
}
