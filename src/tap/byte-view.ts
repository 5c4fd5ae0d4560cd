/**
 * Bounded reading of captured bytes, network byte order, for people's eyes
 * only: reading beyond what was captured throws Truncated, which the line
 * printer turns into tcpdump's `[|proto]`. The packet path never comes here.
 */

export class Truncated extends Error {}

export class ByteView {
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes captured. */
  get length(): number {
    return this.#view.byteLength;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#check(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#check(offset, 2));
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#check(offset, 4));
  }

  /** `size` bytes as one unsigned integer. */
  integer(offset: number, size: number): bigint {
    this.#check(offset, size);
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.#view.getUint8(offset + i));
    return value;
  }

  /** From `offset` to `end` or to the end of what was captured, whichever comes first. */
  from(offset: number, end = this.length): ByteView {
    this.#check(offset, 0);
    const length = Math.max(0, Math.min(end, this.length) - offset);
    return new ByteView(new Uint8Array(this.#view.buffer, this.#view.byteOffset + offset, length));
  }

  #check(offset: number, size: number): number {
    if (offset + size > this.length) throw new Truncated();
    return offset;
  }
}
