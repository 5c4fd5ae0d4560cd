/**
 * The settings of a FelixConfiguration that act here, and what holds where no
 * document says otherwise (SEMANTICS 1.13, 3.6). Each is independent of the
 * others, so that documents are laid over each other field by field.
 */
import type { Cidr } from "../address/address.ts";

/** SEMANTICS 3.6; `net` limits the peer: the source inbound, the destination outbound. */
export interface FailsafePort {
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly port: number;
  readonly net: Cidr | undefined;
}

/** A bound on log lines: `count` in each `seconds`. */
export interface LogRate {
  readonly count: number;
  readonly seconds: number;
}

export interface FelixSettings {
  /** Empty: none. */
  readonly failsafeInbound: readonly FailsafePort[];
  readonly failsafeOutbound: readonly FailsafePort[];
  readonly denyAction: "Drop" | "Reject";
  /** Interfaces whose names begin with one of these are workloads'. */
  readonly interfacePrefixes: readonly string[];
  /** What becomes of a workload's packet to this host that the workload's own policies allow. */
  readonly defaultEndpointToHostAction: "Drop" | "Accept" | "Return";
  /** Packets that conntrack calls INVALID go to the policies instead of being dropped. */
  readonly disableConntrackInvalidCheck: boolean;
  /** As it is written, specifiers included. */
  readonly logPrefix: string;
  /** Of each Log rule; undefined: without bound. */
  readonly logActionRateLimit: LogRate | undefined;
  /** Log lines of a rule that may come at once while a rate limit holds. */
  readonly logActionRateLimitBurst: number;
  readonly allowVxlanFromWorkloads: boolean;
  readonly allowIpipFromWorkloads: boolean;
  readonly vxlanPort: number;
  /** Any: a workload may send from the prefixes its endpoint allows it besides its own addresses. */
  readonly workloadSourceSpoofing: "Disabled" | "Any";
  /** What becomes of a forwarded packet to a service address that no service has translated. */
  readonly serviceLoopPrevention: "Drop" | "Reject" | "Disabled";
  /** This host ends IPIP tunnels of the other nodes: their packets pass, those of strangers do not. */
  readonly ipipEnabled: boolean;
  readonly vxlanEnabled: boolean;
  /** Ends of tunnels besides the nodes. */
  readonly externalNodes: readonly Cidr[];
  /** false: nothing of IPv6 is policed. */
  readonly ipv6Support: boolean;
}

/** What one document sets; undefined: it does not say. */
export type GivenFelixSettings = { readonly [Setting in keyof FelixSettings]?: FelixSettings[Setting] | undefined };

/** Calico's defaults; inbound has SSH and DHCP replies, outbound has DNS and DHCP requests. */
export const DEFAULT_FELIX_SETTINGS: FelixSettings = {
  failsafeInbound: [...ports("tcp", 22), ...ports("udp", 68), ...ports("tcp", 179, 2379, 2380, 5473, 6443, 6666, 6667)],
  failsafeOutbound: [...ports("udp", 53, 67), ...ports("tcp", 179, 2379, 2380, 5473, 6443, 6666, 6667)],
  denyAction: "Drop",
  interfacePrefixes: ["cali"],
  defaultEndpointToHostAction: "Drop",
  disableConntrackInvalidCheck: false,
  logPrefix: "calico-packet",
  logActionRateLimit: undefined,
  logActionRateLimitBurst: 5,
  allowVxlanFromWorkloads: false,
  allowIpipFromWorkloads: false,
  vxlanPort: 4789,
  workloadSourceSpoofing: "Disabled",
  serviceLoopPrevention: "Drop",
  ipipEnabled: false,
  vxlanEnabled: false,
  externalNodes: [],
  ipv6Support: true,
};

function ports(protocol: FailsafePort["protocol"], ...numbers: number[]): FailsafePort[] {
  return numbers.map((port) => ({ protocol, port, net: undefined }));
}
