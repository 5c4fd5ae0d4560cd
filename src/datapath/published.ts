/** What the main thread hands every worker with a new generation; all of it in shared memory. */
import type { DeniedTunnels } from "../policy/encapsulation.ts";
import type { CompiledTables } from "../tables/compiled.ts";
import type { InterfaceMap } from "./interface-map.ts";

/** defaultEndpointToHostAction (SEMANTICS 1.13): what becomes of an allowed packet from a workload to this host. */
export const HostAction = { DROP: 0, ACCEPT: 1, RETURN: 2 } as const;

/** `connmark`: decided connections stay in the kernel; `none`: every packet comes to userspace. */
export type Offload = "connmark" | "none";

/** What the packet path has to know besides the tables. */
export interface WalkSettings {
  /** A HostAction. */
  readonly hostAction: number;
  readonly deniedTunnels: DeniedTunnels;
  /** Without offload: connections may be older than the daemon, so they are picked up in mid-stream. */
  readonly adoptOlder: boolean;
  /** Without offload: an established connection is not judged again. */
  readonly keepEstablished: boolean;
}

export interface PublishedTables extends WalkSettings {
  readonly tables: CompiledTables;
  readonly interfaces: InterfaceMap;
  /** Rule id to index in outcomeReasons. */
  readonly ruleReasons: Uint8Array;
  /** Counts by rule, laid out as hit-counts.ts says; one array a worker, written by that worker only. */
  readonly ruleHits: Float64Array;
}
