/**
 * What holds of a workload's packet whatever its policies say: it may send no
 * tunnel packets (SEMANTICS 3.2), and its host always answers its IPv6
 * neighbour discovery and multicast listener reports (3.4, I2).
 */
import type { PolicyPacket } from "../policy/decision.ts";
import type { DeniedTunnels } from "../policy/encapsulation.ts";
import { deniedTunnels, isDeniedTunnel } from "../policy/encapsulation.ts";
import { effectiveFelix } from "../policy/failsafe.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { Stage } from "./course.ts";

export type BuiltInReason = "encapsulation" | "neighbour-discovery";

export type PacketKind = Pick<PolicyPacket, "family" | "protocol" | "destinationPort" | "icmpType">;

const ICMPV6 = 58;
const DISCOVERY: ReadonlySet<number | undefined> = new Set([130, 131, 132, 133, 135, 136]);

/** What workloads of each node may not send; looked up once a node. */
export class BuiltIns {
  readonly #set: ResourceSet;
  readonly #denied = new Map<string, DeniedTunnels>();

  constructor(set: ResourceSet) {
    this.#set = set;
  }

  /** Why the stage's policies are not asked; undefined if they are. */
  of({ endpoint, direction, hook }: Stage, packet: PacketKind): BuiltInReason | undefined {
    if (endpoint.kind !== "WorkloadEndpoint" || direction !== "egress") return undefined;
    if (isDeniedTunnel(this.#deniedOn(endpoint.node), packet)) return "encapsulation";
    const toHost = hook === "input" && packet.family === 6;
    return toHost && packet.protocol === ICMPV6 && DISCOVERY.has(packet.icmpType) ? "neighbour-discovery" : undefined;
  }

  #deniedOn(node: string): DeniedTunnels {
    let denied = this.#denied.get(node);
    if (denied === undefined) this.#denied.set(node, (denied = deniedTunnels(effectiveFelix(this.#set, node))));
    return denied;
  }
}

export function builtInVerdict(reason: BuiltInReason): "deny" | "exempt" {
  return reason === "encapsulation" ? "deny" : "exempt";
}
