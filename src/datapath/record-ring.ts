/**
 * A ring of fixed-size records in shared memory from one worker to the main
 * thread: one writer, one reader, no locks. A full ring loses the new record
 * and counts it; the writer never waits.
 *
 * Record words (32 bits): see Field; then `payloadBytes` bytes of packet.
 */

export const Field = {
  /** Milliseconds since the Unix epoch, low and high word of a float64. */
  TIME: 0,
  KIND: 2,
  HOOK: 3,
  VERDICT: 4,
  REASON: 5,
  /** Rule id + 1, 0 for none. */
  RULE: 6,
  /** Endpoint index + 1, 0 for none. */
  ENDPOINT: 7,
  IN_INTERFACE: 8,
  OUT_INTERFACE: 9,
  GENERATION: 10,
  /** 1 when the packet travels against its connection's original direction. */
  REPLY: 11,
  FAMILY: 12,
  PROTOCOL: 13,
  SOURCE_PORT: 14,
  DESTINATION_PORT: 15,
  /** type * 256 + code, or 65536 where there is none. */
  ICMP: 16,
  /** Source and destination of the judged tuple, four words each. */
  ADDRESSES: 17,
  /** Parse failure code, 0 for none. */
  FAILURE: 25,
  PAYLOAD_LENGTH: 26,
  ORIGINAL_LENGTH: 27,
  /** Rule id + 1 of the pending decision, where it differs from the enforced one; 0 for none. */
  PENDING: 28,
} as const;

const RECORD_WORDS = 29;
const HEAD = 0;
const TAIL = 1;
const LOST = 2;
const HEADER_WORDS = 4;

export interface RingMemory {
  readonly buffer: SharedArrayBuffer;
  readonly payloadBytes: number;
}

export function allocateRing(records: number, payloadBytes: number): RingMemory {
  const stride = RECORD_WORDS * 4 + roundUp(payloadBytes);
  return { buffer: new SharedArrayBuffer(HEADER_WORDS * 4 + records * stride), payloadBytes };
}

export class RecordRing {
  /** All words of the ring; a record's fields are words[record + Field.X]. */
  readonly words: Uint32Array;
  readonly payloadBytes: number;
  readonly #bytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #stride: number;
  readonly #capacity: number;
  readonly #time = new Float64Array(1);
  readonly #timeWords = new Uint32Array(this.#time.buffer);

  constructor(memory: RingMemory) {
    this.words = new Uint32Array(memory.buffer);
    this.payloadBytes = roundUp(memory.payloadBytes);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#control = new Int32Array(memory.buffer, 0, HEADER_WORDS);
    this.#stride = RECORD_WORDS + this.payloadBytes / 4;
    // A power of two, so that positions stay in step when the 32-bit counters wrap.
    this.#capacity = 2 ** Math.floor(Math.log2((this.words.length - HEADER_WORDS) / this.#stride));
  }

  get lost(): number {
    return Atomics.load(this.#control, LOST) >>> 0;
  }

  /**
   * Writer: the word offset of a free record, or -1 (counted as lost). Fill it, then commit(). One that `yields` leaves
   * half of the ring to the others.
   */
  reserve(yields = false): number {
    const head = Atomics.load(this.#control, HEAD);
    const room = yields ? this.#capacity >>> 1 : this.#capacity;
    if (((head - Atomics.load(this.#control, TAIL)) | 0) >= room) {
      Atomics.add(this.#control, LOST, 1);
      return -1;
    }
    return HEADER_WORDS + ((head >>> 0) % this.#capacity) * this.#stride;
  }

  commit(): void {
    Atomics.store(this.#control, HEAD, (Atomics.load(this.#control, HEAD) + 1) | 0);
  }

  setTime(record: number, milliseconds: number): void {
    this.#time[0] = milliseconds;
    this.words[record + Field.TIME] = this.#timeWords[0];
    this.words[record + Field.TIME + 1] = this.#timeWords[1];
  }

  setPayload(record: number, source: Uint8Array, offset: number, length: number): void {
    const kept = Math.min(length, this.payloadBytes);
    const at = (record + RECORD_WORDS) * 4;
    for (let i = 0; i < kept; i++) this.#bytes[at + i] = source[offset + i];
    this.words[record + Field.PAYLOAD_LENGTH] = kept;
  }

  /** Reader: up to `limit` records, oldest first; each is valid only during the call. */
  drain(limit: number, onRecord: (record: number) => void): number {
    let count = 0;
    while (count < limit) {
      const tail = Atomics.load(this.#control, TAIL);
      if (tail === Atomics.load(this.#control, HEAD)) break;
      onRecord(HEADER_WORDS + ((tail >>> 0) % this.#capacity) * this.#stride);
      Atomics.store(this.#control, TAIL, (tail + 1) | 0);
      count++;
    }
    return count;
  }

  /** Reader: what is there is never read. */
  skip(): void {
    Atomics.store(this.#control, TAIL, Atomics.load(this.#control, HEAD));
  }

  time(record: number): number {
    this.#timeWords[0] = this.words[record + Field.TIME];
    this.#timeWords[1] = this.words[record + Field.TIME + 1];
    return this.#time[0];
  }

  /** A copy of the record's packet bytes. */
  payload(record: number): Uint8Array {
    const at = (record + RECORD_WORDS) * 4;
    return this.#bytes.slice(at, at + this.words[record + Field.PAYLOAD_LENGTH]);
  }
}

function roundUp(bytes: number): number {
  return (bytes + 3) & ~3;
}
