/**
 * Tunnel packets of workloads (SEMANTICS 3.2): a workload may send none,
 * whatever its policies say, for their inner packets, with whatever source, no
 * policy would see. FelixConfiguration may leave either kind to the policies.
 */
import type { FelixSettings } from "../resources/felix-settings.ts";
import type { PolicyPacket } from "./decision.ts";

const IPIP = 4;
const UDP = 17;

export interface DeniedTunnels {
  readonly ipip: boolean;
  /** UDP port of VXLAN, 0 where policies decide about it. */
  readonly vxlanPort: number;
}

export function deniedTunnels(
  felix: Pick<FelixSettings, "allowIpipFromWorkloads" | "allowVxlanFromWorkloads" | "vxlanPort">,
): DeniedTunnels {
  return { ipip: !felix.allowIpipFromWorkloads, vxlanPort: felix.allowVxlanFromWorkloads ? 0 : felix.vxlanPort };
}

export function isDeniedTunnel(
  denied: DeniedTunnels,
  { protocol, destinationPort }: Pick<PolicyPacket, "protocol" | "destinationPort">,
): boolean {
  if (protocol === IPIP) return denied.ipip;
  return protocol === UDP && denied.vxlanPort !== 0 && destinationPort === denied.vxlanPort;
}
