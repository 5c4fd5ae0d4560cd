/** What the main thread hands every worker with a new generation; all of it in shared memory. */
import type { CompiledTables } from "../tables/compiled.ts";
import type { InterfaceMap } from "./interface-map.ts";

export interface PublishedTables {
  readonly tables: CompiledTables;
  readonly interfaces: InterfaceMap;
  /** Rule id to index in outcomeReasons. */
  readonly ruleReasons: Uint8Array;
  /** Rule id to packets it decided or logged; one array a worker, written by that worker only. */
  readonly ruleHits: Float64Array;
}
