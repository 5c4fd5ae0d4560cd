/** Messages between the pool and a queue reader, whichever thread that runs in. */
import type { MarkMasks } from "../hooks/marks.ts";
import type { NativeQueueOptions } from "../native/binding.ts";
import type { InterfaceMap } from "./interface-map.ts";
import type { ConnectionMemory } from "./connection-tracker.ts";
import type { PublishedTables } from "./published.ts";
import type { RingMemory } from "./record-ring.ts";

export interface WorkerSetup {
  /** Opened when told to, with the descriptor that comes then. */
  readonly queue: NativeQueueOptions;
  readonly marks: MarkMasks;
  /** What the process's own canaries are known by (datapath/canary.ts). */
  readonly canaryNonce: Uint8Array;
  /** Without offload: where connections are kept. */
  readonly connections: ConnectionMemory | undefined;
  readonly flowCapacity: number;
  /** While nearly all it sees is denied, packets the reader answers a second at most; undefined: any number. */
  readonly deniedPerSecond: number | undefined;
  readonly counters: Float64Array;
  readonly events: RingMemory;
  readonly recordAccepted: boolean;
}

export type ToWorker =
  | {
      readonly type: "open";
      readonly descriptor: number | undefined;
      /** Connections that the reader before had, without offload (flow/connection-records.ts). */
      readonly connections: Uint32Array | undefined;
    }
  | { readonly type: "publish"; readonly published: PublishedTables }
  | { readonly type: "interfaces"; readonly interfaces: InterfaceMap }
  | { readonly type: "tap"; readonly ring: RingMemory | undefined }
  | { readonly type: "start-profile" }
  | { readonly type: "end-profile" }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "close" };

export type FromWorker =
  /**
   * `descriptor`: of a socket that can be handed over. `wakeKey` names a queue whose reader must be woken
   * (native/binding.ts) to see a message.
   */
  | { readonly type: "bound"; readonly descriptor: number | undefined; readonly wakeKey: number | undefined }
  | { readonly type: "failed"; readonly code: string; readonly message: string; readonly hint: string | undefined }
  | { readonly type: "published"; readonly generation: number }
  | { readonly type: "paused" }
  | { readonly type: "unknown-interface"; readonly index: number }
  | { readonly type: "profile-started" }
  /** The text of a .cpuprofile file; empty when there is none. */
  | { readonly type: "profile"; readonly json: string }
  | { readonly type: "closed" };
