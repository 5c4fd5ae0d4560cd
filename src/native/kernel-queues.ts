/**
 * The kernel's own view of NFQUEUE queues in this network namespace:
 * /proc/net/netfilter/nfnetlink_queue, one line a bound queue. The file is
 * for real root only: a daemon with nothing but CAP_NET_ADMIN, or root of an
 * ordinary user's namespace, sees no queues.
 */
import { readFileSync } from "node:fs";

export interface KernelQueue {
  readonly queue: number;
  /** Netlink port of the socket that holds it; usually, not always, its process id. */
  readonly peerPortId: number;
  /** Packets waiting for a verdict. */
  readonly pending: number;
  readonly copyRange: number;
  /** Packets dropped because the queue was full; a fail-open queue lets them through and does not count them. */
  readonly kernelDropped: number;
  /** Packets dropped because they did not fit into the socket's receive buffer. */
  readonly userDropped: number;
}

/** Every bound queue; empty when the file cannot be read or the kernel has no NFQUEUE. Counters restart on rebind. */
export function readKernelQueues(): KernelQueue[] {
  try {
    return parseKernelQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8"));
  } catch {
    return [];
  }
}

/** Columns: queue, port id, pending, copy mode, copy range, queue dropped, user dropped, last id, "1". */
function parseKernelQueues(text: string): KernelQueue[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((columns) => columns.length >= 7 && columns.every(Number.isFinite))
    .map((columns) => ({
      queue: columns[0] as number,
      peerPortId: columns[1] as number,
      pending: columns[2] as number,
      copyRange: columns[4] as number,
      kernelDropped: columns[5] as number,
      userDropped: columns[6] as number,
    }));
}
