/**
 * Opens a kernel packet queue: checks every option, because the addon does
 * not, and turns the kernel's refusals into sentences.
 */
import { RampartError } from "../errors/rampart-error.ts";
import { loadNative } from "./load.ts";
import { findQueueHolder } from "./queue-holder.ts";
import { failureText, systemErrorCode } from "./system-error.ts";
import type { NativeQueueOptions, NativeThreadQueue } from "./binding.ts";

/** Smallest and largest value of each number. */
const RANGES = {
  queue: [0, 65535],
  copyRange: [64, 65535],
  maxLength: [1, 1_048_576],
  receiveBuffer: [4096, 1_073_741_823],
  batch: [1, 256],
  gather: [0, 1000],
} as const satisfies Partial<Record<keyof NativeQueueOptions, readonly [number, number]>>;

const FLAGS = ["gso", "failOpen", "uidGid", "conntrack"] as const satisfies readonly (keyof NativeQueueOptions)[];

/**
 * Binds the queue to a new socket of this thread, or takes over the one it is bound to (`options.descriptor`). Packets
 * wait in the kernel until `start` or `nextBatch`.
 *
 * RAMPART_E_QUEUE_OPTIONS: an option is wrong, RAMPART_E_QUEUE_HELD: another socket has the queue,
 * RAMPART_E_PRIVILEGE: CAP_NET_ADMIN is missing, RAMPART_E_QUEUE_OPEN: the kernel refused otherwise.
 */
export function openQueue(options: NativeQueueOptions): NativeThreadQueue {
  checkQueueOptions(options);
  const native = loadNative();
  try {
    return native.openQueue(options);
  } catch (error) {
    throw queueRefused(systemErrorCode(error), options.queue, error);
  }
}

/** RAMPART_E_QUEUE_OPTIONS when an option is wrong. */
export function checkQueueOptions(options: NativeQueueOptions): void {
  for (const [name, [least, most]] of Object.entries(RANGES)) {
    const value: unknown = options[name as keyof typeof RANGES];
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      throw wrongOption(name, value, `give a whole number from ${least} to ${most}`);
    }
  }
  for (const name of FLAGS) {
    const value: unknown = options[name];
    if (typeof value !== "boolean") throw wrongOption(name, value, "give true or false");
  }
}

function wrongOption(name: string, value: unknown, hint: string): RampartError {
  return new RampartError("RAMPART_E_QUEUE_OPTIONS", `queue option ${name} is ${String(value)}`, { hint });
}

/** Says why the kernel refused a queue; `code` is the name of its error (errno), if there is one. */
export function queueRefused(code: string | undefined, queue: number, error: unknown): RampartError {
  switch (code) {
    case "EBUSY": {
      const holder = findQueueHolder(queue);
      const who = holder === undefined ? "another process" : `process ${holder.pid} (${holder.command})`;
      return new RampartError("RAMPART_E_QUEUE_HELD", `queue ${queue} is held by ${who}`, {
        hint: "stop that process or configure another queue number",
        cause: error,
      });
    }
    case "EPERM":
    case "EACCES":
      return new RampartError("RAMPART_E_PRIVILEGE", `queue ${queue} needs CAP_NET_ADMIN, which this process lacks`, {
        hint: "run as root, or with AmbientCapabilities=CAP_NET_ADMIN in the systemd unit",
        cause: error,
      });
    default:
      return new RampartError("RAMPART_E_QUEUE_OPEN", `queue ${queue} cannot be opened: ${failureText(error)}`, {
        hint: "the kernel needs NFQUEUE; try `modprobe nfnetlink_queue`",
        cause: error,
      });
  }
}
