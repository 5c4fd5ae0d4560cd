/**
 * Who has a queue: the queue's netlink port, that port's socket, and the
 * process with a descriptor of that socket. Each step reads /proc, and a step
 * that may not be read (another user's process, another pid namespace) means
 * that the holder stays unknown.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readKernelQueues } from "./kernel-queues.ts";

/** Protocol column of /proc/net/netlink. */
const NETLINK_NETFILTER = 12;

export interface QueueHolder {
  readonly pid: number;
  readonly command: string;
}

/** The process that holds the queue, undefined when nobody does or it cannot be found out. */
export function findQueueHolder(queue: number): QueueHolder | undefined {
  const held = readKernelQueues().find((kernelQueue) => kernelQueue.queue === queue);
  if (held === undefined) return undefined;
  const inode = attempt(() => socketInode(readFileSync("/proc/net/netlink", "utf8"), held.peerPortId));
  if (inode === undefined) return undefined;
  const pid = (attempt(() => readdirSync("/proc")) ?? [])
    .filter((entry) => /^[0-9]+$/.test(entry))
    .find((entry) => holdsSocket(entry, inode));
  if (pid === undefined) return undefined;
  return { pid: Number(pid), command: attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) ?? "unknown" };
}

/** Columns: socket address, protocol, port id, groups, ..., inode. */
function socketInode(text: string, portId: number): string | undefined {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => Number(columns[1]) === NETLINK_NETFILTER && Number(columns[2]) === portId)
    ?.at(-1);
}

function holdsSocket(pid: string, inode: string): boolean {
  const target = `socket:[${inode}]`;
  const descriptors = attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  return descriptors.some((descriptor) => attempt(() => readlinkSync(`/proc/${pid}/fd/${descriptor}`)) === target);
}

/** Processes and descriptors vanish while they are being read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
