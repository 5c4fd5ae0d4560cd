/**
 * The worker's end of the canary (hooks/canary.ts): what comes back is counted
 * and dropped, and told from everything else by a number that only this
 * process knows, so that nobody can report a queue alive that is not.
 *
 * Payload: nonce (8 bytes), sequence number (4, big endian), 1 for the queue
 * around routing, else 0 (1).
 */
import { MarkLayout } from "../hooks/marks.ts";
import type { MarkMasks } from "../hooks/marks.ts";
import { Verdict, type PacketBatch } from "../native/binding.ts";
import type { WorkerCounters } from "./counters.ts";

export const NONCE_BYTES = 8;
const SEQUENCE_AT = NONCE_BYTES;
const AROUND_AT = SEQUENCE_AT + 4;
const PAYLOAD_BYTES = AROUND_AT + 1;
/** IPv4 without options (RFC 791) and UDP (RFC 768): what the kernel makes of our datagram. */
const HEADER_BYTES = 28;

/** `nonce` has NONCE_BYTES bytes. */
export function canaryPayload(nonce: Uint8Array, sequence: number, aroundRouting: boolean): Uint8Array {
  const payload = new Uint8Array(PAYLOAD_BYTES);
  payload.set(nonce);
  new DataView(payload.buffer).setUint32(SEQUENCE_AT, sequence);
  payload[AROUND_AT] = aroundRouting ? 1 : 0;
  return payload;
}

/** Milliseconds of a clock that all threads of this process share and nobody sets. */
export function sharedClock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export class CanaryReader {
  /** Canaries read. */
  taken = 0;
  readonly #mask: number;
  readonly #mark: number;
  readonly #nonce: Uint8Array;
  readonly #counters: WorkerCounters;

  constructor(masks: MarkMasks, nonce: Uint8Array, counters: WorkerCounters) {
    this.#mask = masks.packet | 0;
    this.#mark = new MarkLayout(masks).canaryMark | 0;
    this.#nonce = nonce;
    this.#counters = counters;
  }

  /** True when packet `i` was a canary: it is noted, and its verdict is DROP. */
  take(batch: PacketBatch, i: number): boolean {
    return (batch.mark[i] & this.#mask) === this.#mark && this.#read(batch, i);
  }

  #read({ slab, offset, length, verdict }: PacketBatch, i: number): boolean {
    if (length[i] !== HEADER_BYTES + PAYLOAD_BYTES) return false;
    const at = offset[i] + HEADER_BYTES;
    for (let b = 0; b < NONCE_BYTES; b++) if (slab[at + b] !== this.#nonce[b]) return false;
    let sequence = 0;
    for (let b = SEQUENCE_AT; b < AROUND_AT; b++) sequence = sequence * 256 + slab[at + b];
    this.taken++;
    this.#counters.setGauge("canaryAt", sharedClock());
    this.#counters.setGauge(slab[at + AROUND_AT] === 0 ? "canarySequence" : "canaryAroundSequence", sequence);
    verdict[i] = Verdict.DROP;
    return true;
  }
}
