/**
 * The queue a worker reads, whatever backend serves it: batches of packets in,
 * one verdict each out. The addon in `native/` is the default backend.
 */
import type { NativeQueue } from "../native/binding.ts";

export interface PacketQueue extends NativeQueue {
  /** Where reading keeps the thread from its messages: what `wakeQueue` ends that with. */
  readonly wakeKey?: number;
}
