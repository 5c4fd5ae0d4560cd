/**
 * The netlink socket of a queue that the package opened. The package has no
 * setting for the queue's length, the copy range or the flags, cannot unbind
 * and does not tell what was lost, so we write the kernel's own messages to
 * its socket. Nothing is ever read from it here: that is the package's job.
 */
import { readdirSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { RampartError } from "../errors/rampart-error.ts";

/** linux/netfilter/nfnetlink_queue.h and linux/netlink.h. */
const NETLINK_NETFILTER = 12;
const NLM_F_REQUEST = 1;
const CONFIG_MESSAGE = (3 << 8) | 2;
const Attribute = { COMMAND: 1, PARAMS: 2, MAX_LENGTH: 3, MASK: 4, FLAGS: 5 } as const;
const Flag = { FAIL_OPEN: 1, GSO: 4 } as const;
const COPY_PACKET = 2;
const UNBIND = 2;
/** nlmsghdr and nfgenmsg. */
const HEADER_BYTES = 20;
const ATTRIBUTE_HEADER_BYTES = 4;

export interface QueueSettings {
  readonly copyRange: number;
  readonly maxLength: number;
  readonly gso: boolean;
  readonly failOpen: boolean;
}

export class QueueSocket {
  readonly #descriptor: number;
  readonly #inode: string;
  readonly #queue: number;

  private constructor(descriptor: number, inode: string, queue: number) {
    this.#descriptor = descriptor;
    this.#inode = inode;
    this.#queue = queue;
  }

  /**
   * Calls `open` and finds the netfilter socket that this process did not have before.
   * @throws what `open` throws; RAMPART_E_QUEUE_OPEN when /proc does not show the socket
   */
  static openedBy(open: () => void, queue: number): QueueSocket {
    const before = new Set(ownSockets().keys());
    open();
    for (const [inode, descriptor] of ownSockets()) {
      if (!before.has(inode) && dropsOf(inode) !== undefined) return new QueueSocket(descriptor, inode, queue);
    }
    throw new RampartError("RAMPART_E_QUEUE_OPEN", `the socket of queue ${queue} cannot be found`, {
      hint: "queue.backend nfqueue needs /proc of this process to be readable; or use queue.backend: native",
    });
  }

  /** What the package cannot set. The kernel has known all of it since Linux 3.10 and does not refuse it. */
  configure({ copyRange, maxLength, gso, failOpen }: QueueSettings): void {
    const params = new Uint8Array(5);
    new DataView(params.buffer).setUint32(0, copyRange);
    params[4] = COPY_PACKET;
    this.#send([
      [Attribute.PARAMS, params],
      [Attribute.MAX_LENGTH, bigEndian(maxLength)],
      [Attribute.MASK, bigEndian(Flag.GSO | Flag.FAIL_OPEN)],
      [Attribute.FLAGS, bigEndian((gso ? Flag.GSO : 0) | (failOpen ? Flag.FAIL_OPEN : 0))],
    ]);
  }

  /** The kernel drops what waits in the queue and sends no more. */
  unbind(): void {
    this.#send([[Attribute.COMMAND, Uint8Array.of(UNBIND, 0, 0, 0)]]);
  }

  /** Packets the kernel could not put into the socket. */
  get drops(): number {
    return dropsOf(this.#inode) ?? 0;
  }

  /** One NFQNL_MSG_CONFIG; headers in host byte order, contents in network byte order. */
  #send(attributes: readonly (readonly [number, Uint8Array])[]): void {
    const length = attributes.reduce((sum, [, value]) => sum + aligned(ATTRIBUTE_HEADER_BYTES + value.length), HEADER_BYTES);
    const message = new Uint8Array(length);
    const words = new Uint32Array(message.buffer);
    const halves = new Uint16Array(message.buffer);
    words[0] = length;
    halves[2] = CONFIG_MESSAGE;
    halves[3] = NLM_F_REQUEST;
    // Family and version are 0; the queue's number ends the header.
    new DataView(message.buffer).setUint16(HEADER_BYTES - 2, this.#queue);
    let at = HEADER_BYTES;
    for (const [type, value] of attributes) {
      halves[at / 2] = ATTRIBUTE_HEADER_BYTES + value.length;
      halves[at / 2 + 1] = type;
      message.set(value, at + ATTRIBUTE_HEADER_BYTES);
      at += aligned(ATTRIBUTE_HEADER_BYTES + value.length);
    }
    writeSync(this.#descriptor, message);
  }
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function bigEndian(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Inode to descriptor of every socket this process has. */
function ownSockets(): Map<string, number> {
  const found = new Map<string, number>();
  for (const descriptor of readdirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
      if (inode !== undefined) found.set(inode, Number(descriptor));
    } catch {
      // The descriptor of the listing itself is gone by now.
    }
  }
  return found;
}

/** The drop counter of a netfilter socket; undefined when the inode is no netfilter socket of this namespace. */
function dropsOf(inode: string): number | undefined {
  // Columns: socket address, protocol, port id, groups, rmem, wmem, dump, locks, drops, inode.
  for (const line of readFileSync("/proc/net/netlink", "utf8").split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns[9] === inode && Number(columns[1]) === NETLINK_NETFILTER) return Number(columns[8]);
  }
  return undefined;
}
