/**
 * What the hooks depend on: the one input of the plan. Two equal HookConfigs
 * give the same chains, byte for byte.
 */
import type { Cidr } from "../address/address.ts";
import type { FailsafePort } from "../resources/types.ts";
import type { MarkLayout } from "./marks.ts";
import type { LaneLimits } from "./second-lane.ts";

/** Interfaces a hook governs. `wildcard` means every one, then `interfaces` adds nothing. */
export interface Scope {
  readonly wildcard: boolean;
  readonly interfaces: readonly string[];
}

/** Interfaces of workloads (SEMANTICS 1.11, 1.13): all that start with one of the prefixes. */
export interface WorkloadInterfaces {
  readonly prefixes: readonly string[];
  /** Prefixes a workload may send from although no route leads back to them. */
  readonly allowedSources: readonly AllowedSources[];
}

export interface AllowedSources {
  readonly interfaceName: string;
  readonly nets: readonly Cidr[];
}

/** Named interfaces whose HostEndpoint has untracked policies for a direction; "*" has none (SEMANTICS 3.3). */
export interface UntrackedInterfaces {
  readonly inbound: readonly string[];
  readonly outbound: readonly string[];
}

/** Tunnels between nodes that end on this host (SEMANTICS 3.7). */
export interface Tunnels {
  readonly ipip: boolean;
  /** UDP port; undefined: no VXLAN. */
  readonly vxlanPort: number | undefined;
  /** Far ends, in order, once each. */
  readonly ends: readonly Cidr[];
}

export interface HookConfig {
  /** Interfaces of HostEndpoints. */
  readonly input: Scope;
  readonly output: Scope;
  /**
   * Interfaces of HostEndpoints whose forwarded packets are judged; undefined while no policy applies to them.
   * FORWARD is hooked for workload interfaces and those of `preDNAT` without being asked.
   */
  readonly forward: Scope | undefined;
  /** Undefined while this node polices no workloads. */
  readonly workloads: WorkloadInterfaces | undefined;
  /** Interfaces of HostEndpoints that preDNAT policies select; undefined while there is none. */
  readonly preDNAT: Scope | undefined;
  /** Undefined while no untracked policy selects a named HostEndpoint. */
  readonly untracked: UntrackedInterfaces | undefined;
  /**
   * Connection tracking may have begun with these hooks, so TCP connections older than it are picked up in mid-stream
   * by whichever packet comes first. Otherwise such a packet belongs to nothing and is dropped: the retransmission of
   * a connection that was cut must not bring it back with its direction turned round.
   */
  readonly adoptOlder: boolean;
  /**
   * connmark: what is decided stays in the kernel, by conntrack and its marks. none: every packet is queued, and the
   * kernel need not track connections.
   */
  readonly offload: "connmark" | "none";
  /** DNAT may send local packets elsewhere behind OUTPUT; to find out takes conntrack. */
  readonly outputNat: boolean;
  /**
   * What conntrack calls ESTABLISHED or RELATED passes in every tracked hook before anything is judged, whatever
   * generation allowed it. False: only under the generation that did.
   */
  readonly keepEstablished: boolean;
  /** What conntrack calls INVALID is dropped; false leaves it to the policies. */
  readonly dropInvalid: boolean;
  /** undefined: tunnel packets are packets like others. */
  readonly tunnels: Tunnels | undefined;
  /** Prefixes of services' addresses; undefined: packets to them are forwarded like others. */
  readonly serviceLoop: { readonly nets: readonly Cidr[]; readonly reject: boolean } | undefined;
  /** false: nothing of IPv6 is hooked. */
  readonly ipv6: boolean;
  /** Packets of the loopback interface are nobody's business; false polices `lo` as any other interface. */
  readonly exemptLoopback: boolean;
  readonly failsafeInbound: readonly FailsafePort[];
  readonly failsafeOutbound: readonly FailsafePort[];
  readonly queue: {
    /** First queue number; `count` queues follow on from it. */
    readonly first: number;
    readonly count: number;
    /**
     * Queue of its own for the hooks before and after routing (PREROUTING, POSTROUTING), where the reader is not told
     * which hook a packet comes from; absent: they share the others.
     */
    readonly aroundRouting?: number;
    /** A queue behind the others for what comes too fast; absent: there is none. */
    readonly secondLane?: LaneLimits;
    /** Let packets through while nobody reads the queue. */
    readonly bypass: boolean;
  };
  /** Whether the daemon sends canaries through its queues (hooks/canary.ts); absent: no rule for them. */
  readonly canary?: boolean;
  readonly marks: MarkLayout;
  /** Generation the fast path accepts, 1 to marks.maxGeneration. */
  readonly generation: number;
}
