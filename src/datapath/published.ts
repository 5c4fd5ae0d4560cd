/** What the main thread hands every worker with a new generation; all of it in shared memory. */
import type { DeniedTunnels } from "../policy/encapsulation.ts";
import type { CompiledTables } from "../tables/compiled.ts";
import type { InterfaceMap } from "./interface-map.ts";

/** defaultEndpointToHostAction (SEMANTICS 1.13): what becomes of an allowed packet from a workload to this host. */
export const HostAction = { DROP: 0, ACCEPT: 1, RETURN: 2 } as const;

/** What of FelixConfiguration the packet walk asks. */
export interface WalkSettings {
  /** A HostAction. */
  readonly hostAction: number;
  readonly deniedTunnels: DeniedTunnels;
}

export interface PublishedTables extends WalkSettings {
  readonly tables: CompiledTables;
  readonly interfaces: InterfaceMap;
  /** Rule id to index in outcomeReasons. */
  readonly ruleReasons: Uint8Array;
  /** Counts by rule, laid out as hit-counts.ts says; one array a worker, written by that worker only. */
  readonly ruleHits: Float64Array;
}
