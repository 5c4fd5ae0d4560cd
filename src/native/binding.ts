/**
 * The contract of the addon in `native/`. JavaScript validates, C assumes
 * valid arguments. All integers are in host byte order unless said otherwise;
 * packet bytes are as on the wire, starting at the IP header.
 */

/** Netfilter verdict codes (linux/netfilter.h) plus HOLD, which sends nothing yet. */
export const Verdict = { DROP: 0, ACCEPT: 1, QUEUE: 3, REPEAT: 4, HOLD: 255 } as const;

/** Netfilter hook numbers as a packet's metadata carries them. */
export const Hook = { PREROUTING: 0, INPUT: 1, FORWARD: 2, OUTPUT: 3, POSTROUTING: 4 } as const;

export interface NativeQueueOptions {
  readonly queue: number;
  /** A queue socket of another process, bound to `queue` as a rule: it is taken over instead of opening a new one. */
  readonly descriptor?: number;
  /** Bytes of each packet copied to userspace, 64 to 65535. */
  readonly copyRange: number;
  /** Packets the kernel holds for us before it drops (or lets through, with failOpen). */
  readonly maxLength: number;
  /** Socket receive buffer in bytes; SO_RCVBUFFORCE, falling back to SO_RCVBUF. */
  readonly receiveBuffer: number;
  readonly gso: boolean;
  readonly failOpen: boolean;
  readonly uidGid: boolean;
  /** Ask for NFQA_CT; `hasConntrack` tells whether this kernel gives it. */
  readonly conntrack: boolean;
  /** Packets a batch at most, 1 to 256. */
  readonly batch: number;
  /** Microseconds to sleep after a small batch of two packets or more, so that the next is larger; 0 to 1000. */
  readonly gather: number;
}

/** Index i of every array describes packet i of the batch in hand. */
export interface PacketBatch {
  /** All packet bytes; packet i is slab[offset[i] .. offset[i] + length[i]). */
  readonly slab: Uint8Array;
  readonly id: Uint32Array;
  readonly hook: Uint8Array;
  readonly inInterface: Uint32Array;
  readonly outInterface: Uint32Array;
  readonly mark: Uint32Array;
  /** EtherType: 0x0800 or 0x86dd. */
  readonly hardwareProtocol: Uint16Array;
  readonly offset: Uint32Array;
  /** Bytes copied. */
  readonly length: Uint32Array;
  /** Bytes the packet has (NFQA_CAP_LEN), equal to length when nothing was cut. */
  readonly originalLength: Uint32Array;
  /** NFQA_SKB_INFO bits: 1 checksum not ready, 2 GSO, 4 checksum not verified. */
  readonly skbInfo: Uint32Array;
  /** 0xffffffff where unknown. */
  readonly uid: Uint32Array;
  /** Filled by the callback: a Verdict code and the packet mark to send with it. */
  readonly verdict: Uint8Array;
  readonly verdictMark: Uint32Array;
}

export interface NativeQueueStats {
  /** Packets handed to JavaScript, wake-ups, and batches (one callback each). */
  readonly packets: number;
  readonly batches: number;
  /**
   * Packets the kernel dropped because the receive buffer was full: we were slow to read. Counted by the socket
   * itself, so that NETLINK_NO_ENOBUFS (without it one overflow refuses everything until the buffer is empty) hides
   * nothing.
   */
  readonly enobufs: number;
  /** Netlink messages longer than their slot (MSG_TRUNC): no packet could be handed on. */
  readonly truncated: number;
  /** Netlink messages that were malformed or had no packet header. */
  readonly malformed: number;
  /**
   * Verdicts the kernel refused, nearly always ENOENT: it had dropped the packet itself, which is harmless. One more
   * for each socket taken over in which no packet was left unanswered.
   */
  readonly verdictErrors: number;
  /** Callback threw or left a code that is no Verdict: packets dropped by the C side. */
  readonly unanswered: number;
  /** The receive buffer size the kernel granted, bytes. */
  readonly receiveBuffer: number;
}

export interface NativeQueue {
  readonly batch: PacketBatch;
  readonly hasConntrack: boolean;
  /** Of the queue's socket. While any process has it open the queue stays bound, and packets wait in the kernel. */
  readonly descriptor: number;
  /**
   * Begin delivering: `onBatch(count)` once a batch on this thread's event loop. Verdicts of the batch
   * are preset to DROP with the packet's own mark and sent in one sendmsg when the callback returns, also
   * when it throws (then everything is dropped and the exception goes to the process's handlers).
   */
  start(onBatch: (count: number) => void): void;
  /** Reads no more, every packet read being answered; the socket may be read by another process now. */
  pause(): void;
  /** Reads on. What somebody else read meanwhile and did not answer is dropped. */
  resume(): void;
  /** A late verdict, for a packet that was answered HOLD. */
  send(id: number, verdict: number, mark: number): void;
  stats(): NativeQueueStats;
  /** Stop, unbind and free; packets still in the kernel queue are dropped by it. Idempotent. */
  close(): void;
}

/** A queue that can also be read without the event loop, by a thread of its own. */
export interface NativeThreadQueue extends NativeQueue {
  /** What `wakeQueue` knows this queue by, in any thread of the process. */
  readonly wakeKey: number;
  /**
   * In place of `start`: sends the verdicts of the batch in hand, preset to DROP, and waits for the next one. Returns
   * the number of its packets, or 0 when the event loop should have its turn: `milliseconds` after the last 0, after a
   * `wakeQueue`, or closed. Between two of these 0 the loop must have looked for messages, or a wake-up is lost.
   */
  nextBatch(milliseconds: number): number;
}

/** Conntrack entries of one dump step; index i is entry i. Addresses are 16 bytes, IPv4 in the first 4. */
export interface ConntrackBatch {
  readonly family: Uint8Array;
  readonly protocol: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourcePort: Uint16Array;
  readonly destinationPort: Uint16Array;
  readonly icmpType: Uint8Array;
  readonly icmpCode: Uint8Array;
  readonly icmpId: Uint16Array;
  readonly zone: Uint16Array;
  readonly mark: Uint32Array;
  readonly status: Uint32Array;
  /** Conntrack id (CTA_ID). */
  readonly id: Uint32Array;
  /** Of TCP, enum tcp_conntrack (linux/netfilter/nf_conntrack_tcp.h); 0 for other protocols. */
  readonly tcpState: Uint8Array;
}

export interface NativeConntrack {
  readonly batch: ConntrackBatch;
  /** Start a dump of entries with (mark & mask) === value, of family 4, 6 or 0 for both; one dump at a time. */
  dumpStart(family: number, value: number, mask: number): void;
  /** Next entries into `batch`; 0 at the end. Blocks for one recv only. */
  dumpNext(): number;
  /** Set (mark & ~mask) | (value & mask) on entry i of the batch in hand; false if it is gone. */
  setMark(index: number, value: number, mask: number): boolean;
  /** Delete entry i of the batch in hand; false if it is gone. */
  delete(index: number): boolean;
  close(): void;
}

export interface NativeInterface {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  /** Textual addresses without prefix length. */
  readonly addresses: readonly string[];
}

export interface NativeInterfaceWatch {
  close(): void;
}

/** Who committed a transaction of nf_tables (NFT_MSG_NEWGEN). */
export interface NativeRulesetAuthor {
  /**
   * Port id of the program's netlink socket: its process id as its own process namespace counts, unless it has several
   * such sockets. 0 when unknown, because the kernel could not deliver everything.
   */
  readonly port: number;
  /** Process id as the machine's first process namespace counts; 0 when unknown. */
  readonly pid: number;
  /** Its command name, at most 15 bytes; empty when unknown. */
  readonly program: string;
}

export interface NativeRulesetWatch {
  close(): void;
}

/** A compiled libpcap expression over raw IP packets (LINKTYPE_RAW). */
export interface NativePacketFilter {
  matches(bytes: Uint8Array, offset: number, length: number, originalLength: number): boolean;
}

/** Errors thrown by the addon carry `code` (errno name, e.g. "EPERM", "EBUSY") and `syscall`. */
export interface NativeBinding {
  openQueue(options: NativeQueueOptions): NativeThreadQueue;
  /** Has `nextBatch` of this queue return 0, now or when the batch in hand is answered; nothing when it is closed. */
  wakeQueue(wakeKey: number): void;
  openConntrack(): NativeConntrack;
  /** Links and addresses of this network namespace (rtnetlink dump). */
  listInterfaces(): NativeInterface[];
  /** Calls back, coalesced, after link or address changes. */
  watchInterfaces(onChange: () => void): NativeInterfaceWatch;
  /**
   * Calls back, coalesced, after transactions that changed a table of iptables-nft (raw, mangle, nat, filter, security
   * of IPv4 or IPv6), by anyone in this network namespace, this process's children included; once per author.
   */
  watchRuleset(onChange: (authors: readonly NativeRulesetAuthor[]) => void): NativeRulesetWatch;
  /**
   * A number that changes with the rules of a table of iptables-legacy, and not with their counters. Of a table of
   * more than half a MiB only number and size of the rules count. A table that is not there is set up by looking.
   * @throws ENOENT where this kernel has no such table
   */
  tableDigest(family: number, table: string): number;
  /**
   * One datagram to a unix socket, with at most 64 open descriptors on board; a leading "@" is the abstract namespace.
   * Text of at most 511 bytes.
   */
  sendDatagram(socketPath: string, text: string, descriptors: readonly number[]): void;
  /** A unix datagram socket of mode 0600; its descriptor, closed on exec. */
  bindDatagram(socketPath: string): number;
  /** A datagram that is there, with descriptors that are ours from now on, closed on exec. @throws EAGAIN for none */
  receiveDatagram(descriptor: number): { readonly text: string; readonly descriptors: readonly number[] };
  /**
   * One UDP datagram whose packet carries `mark`; `address` is IPv4 in host byte order. It takes CAP_NET_ADMIN.
   * @throws EPERM also where a rule of the kernel drops the packet
   */
  sendMarked(address: number, port: number, mark: number, payload: Uint8Array): void;
  /** For this process, from now on: the C library keeps little of what is freed, and one pool for all threads. */
  boundMemory(): void;
  /** Gives the kernel what the C library keeps of freed memory. Takes milliseconds. */
  releaseMemory(): void;
  /** Gives the kernel the whole pages of a Uint8Array, shared or not; its bytes may be zeros afterwards. */
  releasePages(bytes: Uint8Array): void;
  /**
   * Starts a program without copying this process's memory map, which Node's own way does: that takes long in a large
   * process, and holds its other threads up. `onEnd` is called once it has ended, or was killed when the time was over;
   * `status` is null where a signal ended it.
   * @returns its process id. @throws ENOENT, EACCES, ... where `path` cannot be run
   */
  runProgram(
    path: string,
    args: readonly string[],
    /** KEY=value each. */
    environment: readonly string[],
    input: string,
    timeoutMilliseconds: number,
    onEnd: (status: number | null, stdout: string, stderr: string, timedOut: boolean) => void,
  ): number;
}
