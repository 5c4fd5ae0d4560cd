/**
 * Who has a queue: the queue's netlink port, that port's socket, and the
 * process with a descriptor of that socket. Each step reads /proc, and a step
 * that may not be read (another user's process, another pid namespace) means
 * that the holder stays unknown.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { readKernelQueues } from "./kernel-queues.ts";

/** Protocol column of /proc/net/netlink. */
const NETLINK_NETFILTER = 12;

interface QueueHolder {
  readonly pid: number;
  readonly command: string;
}

/**
 * The process that holds a queue known to be held; undefined when it cannot be found out. Where the kernel's list of
 * queues may not be read (only real root may), the answer is certain only if one process has all netfilter sockets.
 */
export function findQueueHolder(queue: number): QueueHolder | undefined {
  const queues = readKernelQueues();
  const held = queues.find((kernelQueue) => kernelQueue.queue === queue);
  if (held === undefined && queues.length > 0) return undefined;
  const sockets = attempt(() => netfilterSockets(readFileSync("/proc/net/netlink", "utf8"), held?.peerPortId)) ?? [];
  const owners = new Set(sockets.map(socketOwner));
  const [pid] = owners;
  if (pid === undefined || owners.size > 1) return undefined;
  return { pid: Number(pid), command: commandOf(pid) };
}

/** The program's file name; the name of the process may be that of a thread, as in newer versions of Node. */
function commandOf(pid: string): string {
  const [program = ""] = (attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8")) ?? "").split("\0");
  return basename(program) || (attempt(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) ?? "unknown");
}

/** Inodes of the namespace's netfilter sockets, or of the one with that port; the kernel's own has port 0. */
function netfilterSockets(text: string, portId: number | undefined): string[] {
  // Columns: socket address, protocol, port id, groups, ..., inode.
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => Number(columns[1]) === NETLINK_NETFILTER && Number(columns[2]) !== 0)
    .filter((columns) => portId === undefined || Number(columns[2]) === portId)
    .map((columns) => columns.at(-1) as string);
}

/** The process that has the socket open, undefined when no process we may look into does. */
function socketOwner(inode: string): string | undefined {
  const processes = (attempt(() => readdirSync("/proc")) ?? []).filter((entry) => /^[0-9]+$/.test(entry));
  return processes.find((pid) => holdsSocket(pid, inode));
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
