/**
 * A PacketQueue over the npm package `nfqueue`: one packet a batch, on the
 * main thread, one system call to read it and one to answer it.
 *
 * The package hides the hook a packet was queued from. The interfaces tell it
 * among INPUT, FORWARD and OUTPUT, but PREROUTING looks like INPUT and
 * POSTROUTING like OUTPUT. So those two have a kernel queue of their own
 * (`queue + 1`; hooks/match.ts sends them there), and the queue a packet came
 * through together with its interfaces tells the hook. The EtherType is
 * that of the IP version, the original length that of the IP header.
 *
 * Every packet gets exactly one verdict, as with the native queue, except HOLD.
 * No exception may reach the package: it would end the process.
 */
import { RampartError } from "../errors/rampart-error.ts";
import { Hook, Verdict, type NativeQueue, type NativeQueueOptions, type NativeQueueStats } from "../native/binding.ts";
import { checkQueueOptions, queueRefused } from "../native/open-queue.ts";
import { failureText } from "../native/system-error.ts";
import { loadNfqueue, type NfqueueHandle, type NfqueuePacket } from "./package.ts";
import { QueueSocket } from "./queue-socket.ts";

/** The package reads into 65,535 bytes; a longer message would be cut and its packet never answered. */
const MOST_COPIED = 64_000;
const UNKNOWN_UID = 0xffffffff;
const KNOWN_VERDICTS: ReadonlySet<number> = new Set(Object.values(Verdict));

interface KernelQueue {
  readonly handle: NfqueueHandle;
  readonly socket: QueueSocket;
  /** Before and after routing, instead of INPUT, FORWARD and OUTPUT. */
  readonly aroundRouting: boolean;
}

/** A handle that is collected while the package polls its socket is memory used after it was freed. */
const keptForEver: NfqueueHandle[] = [];

/**
 * Binds `options.queue` and the queue after it. Packets wait in the kernel until `start`.
 * `uidGid` and `conntrack` are not to be had; `batch` is always 1.
 *
 * RAMPART_E_NFQUEUE_MISSING: the package does not load; otherwise the errors of native/open-queue.ts.
 */
export function openNfqueue(options: NativeQueueOptions): UnpassableQueue {
  checkQueueOptions(options);
  return new NfqueueQueue(options);
}

/** The package owns its sockets: they cannot pass to another process. */
type UnpassableQueue = Omit<NativeQueue, "descriptor" | "pause" | "resume">;

class NfqueueQueue implements UnpassableQueue {
  readonly hasConntrack = false;
  readonly batch: NativeQueue["batch"];
  readonly #options: NativeQueueOptions;
  readonly #copyRange: number;
  readonly #queues: KernelQueue[] = [];
  /** Packets that were answered HOLD, by the id we gave them: the kernel counts each queue's packets from 1. */
  readonly #held = new Map<number, { readonly handle: NfqueueHandle; readonly id: number }>();
  #onBatch: (count: number) => void = () => {};
  #packets = 0;
  #unanswered = 0;
  #closed = false;

  constructor(options: NativeQueueOptions) {
    this.#options = options;
    this.#copyRange = Math.min(options.copyRange, MOST_COPIED);
    this.batch = {
      slab: new Uint8Array(this.#copyRange),
      id: new Uint32Array(1),
      hook: new Uint8Array(1),
      inInterface: new Uint32Array(1),
      outInterface: new Uint32Array(1),
      mark: new Uint32Array(1),
      hardwareProtocol: new Uint16Array(1),
      offset: new Uint32Array(1),
      length: new Uint32Array(1),
      originalLength: new Uint32Array(1),
      skbInfo: new Uint32Array(1),
      uid: Uint32Array.of(UNKNOWN_UID),
      verdict: new Uint8Array(1),
      verdictMark: new Uint32Array(1),
    };
    const { NFQueue } = loadNfqueue();
    try {
      for (const aroundRouting of [false, true]) {
        const handle = new NFQueue();
        keptForEver.push(handle);
        const socket = this.#open(handle, options.queue + (aroundRouting ? 1 : 0));
        this.#queues.push({ handle, aroundRouting, socket });
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  start(onBatch: (count: number) => void): void {
    this.#onBatch = onBatch;
    for (const queue of this.#queues) queue.handle.run((packet) => this.#deliver(queue, packet));
  }

  send(id: number, verdict: number, mark: number): void {
    const held = this.#held.get(id);
    this.#held.delete(id);
    if (held !== undefined && !this.#closed) held.handle.bindings.setVerdict(held.id, verdict, mark, null);
  }

  stats(): NativeQueueStats {
    return {
      packets: this.#packets,
      batches: this.#packets,
      enobufs: this.#queues.reduce((sum, { socket }) => sum + socket.drops, 0),
      truncated: 0,
      malformed: 0,
      // The package ignores what the kernel answers.
      verdictErrors: 0,
      unanswered: this.#unanswered,
      receiveBuffer: this.#options.receiveBuffer,
    };
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The package cannot close its sockets; unbound, they stay silent until the process ends.
    for (const { socket } of this.#queues) socket.unbind();
  }

  #open(handle: NfqueueHandle, queue: number): QueueSocket {
    const { receiveBuffer, maxLength, gso, failOpen } = this.#options;
    try {
      const socket = QueueSocket.openedBy(() => handle.open(queue, receiveBuffer), queue);
      socket.configure({ copyRange: this.#copyRange, maxLength, gso, failOpen });
      return socket;
    } catch (error) {
      if (error instanceof RampartError) throw error;
      throw queueRefused(refusalCode(error), queue, error);
    }
  }

  #deliver(queue: KernelQueue, { info, payload }: NfqueuePacket): void {
    // What was read before the unbinding; the kernel has dropped it.
    if (this.#closed) return;
    const { batch } = this;
    const length = Math.min(payload.length, this.#copyRange);
    // Whole, except for what came before the kernel knew our copy range.
    batch.slab.set(length === payload.length ? payload : payload.subarray(0, length));
    this.#packets++;
    batch.id[0] = this.#packets;
    batch.hook[0] = hookOf(queue.aroundRouting, info.indev, info.outdev);
    batch.inInterface[0] = info.indev;
    batch.outInterface[0] = info.outdev;
    batch.mark[0] = info.nfmark;
    batch.hardwareProtocol[0] = etherType(batch.slab);
    batch.length[0] = length;
    batch.originalLength[0] = Math.max(length, length < this.#copyRange ? 0 : lengthInHeader(batch.slab));
    batch.verdict[0] = Verdict.DROP;
    batch.verdictMark[0] = info.nfmark;
    try {
      this.#onBatch(1);
    } catch (error) {
      batch.verdict[0] = Verdict.DROP;
      this.#unanswered++;
      setImmediate(() => {
        throw error;
      });
    }
    if (!this.#closed) this.#answer(queue.handle, info.id);
  }

  #answer(handle: NfqueueHandle, id: number): void {
    const { batch } = this;
    let verdict = batch.verdict[0];
    if (!KNOWN_VERDICTS.has(verdict)) {
      verdict = Verdict.DROP;
      this.#unanswered++;
    }
    if (verdict === Verdict.HOLD) {
      this.#held.set(batch.id[0], { handle, id });
    } else if (verdict !== Verdict.DROP && batch.verdictMark[0] !== batch.mark[0]) {
      handle.bindings.setVerdict(id, verdict, batch.verdictMark[0], null);
    } else {
      handle.bindings.setVerdict(id, verdict, null);
    }
  }
}

/** The package's messages are all there is to tell the kernel's refusals apart. */
function refusalCode(error: unknown): string | undefined {
  switch (failureText(error)) {
    case "Unable to unbind queue":
      return "EPERM";
    case "Unable to create queue":
      return "EBUSY";
    default:
      return undefined;
  }
}

function hookOf(aroundRouting: boolean, inInterface: number, outInterface: number): number {
  if (aroundRouting) return outInterface === 0 ? Hook.PREROUTING : Hook.POSTROUTING;
  if (outInterface === 0) return Hook.INPUT;
  return inInterface === 0 ? Hook.OUTPUT : Hook.FORWARD;
}

function etherType(slab: Uint8Array): number {
  switch (slab[0] >>> 4) {
    case 4:
      return 0x0800;
    case 6:
      return 0x86dd;
    default:
      return 0;
  }
}

/** Total length of IPv4 (RFC 791), payload length and fixed header of IPv6 (RFC 8200). */
function lengthInHeader(slab: Uint8Array): number {
  return slab[0] >>> 4 === 6 ? 40 + ((slab[4] << 8) | slab[5]) : (slab[2] << 8) | slab[3];
}
