/**
 * The queue a worker reads, whatever backend serves it: batches of packets in,
 * one verdict each out. The addon in `native/` is the default backend, and the
 * only one whose socket can pass from one process to another.
 */
import type { NativeQueue } from "../native/binding.ts";

type Passable = "descriptor" | "pause" | "resume";

export interface PacketQueue extends Omit<NativeQueue, Passable>, Partial<Pick<NativeQueue, Passable>> {
  /** Where reading keeps the thread from its messages: what `wakeQueue` ends that with. */
  readonly wakeKey?: number;
}
