/**
 * What Rampart writes into marks. Two fields, each inside a mask the user can
 * move away from other programs' bits:
 *
 *   connection mark: a generation (1..max-1), 0 undecided, max "rejected"
 *   packet mark, from its lowest bit: verdict (2), reply (1), accepted (1),
 *   and the generation that decided, modulo what the remaining bits hold
 *
 * The packet mark lives only between our verdict (NF_REPEAT) and the rule that
 * carries it out; the connection mark lives as long as the connection.
 */

export interface MarkMasks {
  /** Contiguous, at least 6 bits. */
  readonly packet: number;
  /** Contiguous, at least 4 bits. */
  readonly connection: number;
}

/** Clear of what kube-proxy (packet 0xc000), Cilium (packet 0x0f00) and Tailscale (both 0xff0000) use. */
export const DEFAULT_MARK_MASKS: MarkMasks = { packet: 0xff000000, connection: 0x0000ff00 };

/** RETURN: not denied, the connection is ours to let pass from now on, but this packet goes on to the user's own rules. */
export const PacketVerdict = { NONE: 0, ALLOW: 1, REJECT: 2, RETURN: 3 } as const;

export class MarkLayout {
  readonly masks: MarkMasks;
  readonly packetShift: number;
  readonly connectionShift: number;
  /** Connection value that means: rejected, let only the refusal itself through. */
  readonly rejected: number;
  /** Generations run from 1 to this, then wrap to 1. */
  readonly maxGeneration: number;
  /** Packet-mark bits (in place) that say: this packet travels in the reply direction. */
  readonly replyBit: number;
  readonly #packetGenerations: number;

  constructor(masks: MarkMasks = DEFAULT_MARK_MASKS) {
    this.masks = masks;
    this.packetShift = trailingZeros(masks.packet);
    this.connectionShift = trailingZeros(masks.connection);
    this.rejected = masks.connection >>> this.connectionShift;
    this.maxGeneration = this.rejected - 1;
    this.replyBit = (4 << this.packetShift) >>> 0;
    this.#packetGenerations = ((masks.packet >>> this.packetShift) >>> 4) + 1;
  }

  /** Mark and mask bits for "this verdict, decided under this generation", in place; the reply bit is outside. */
  verdictMark(verdict: number, generation: number): number {
    return (((generation % this.#packetGenerations) << 4) | verdict) << this.packetShift >>> 0;
  }

  /** Mask that goes with verdictMark: every packet bit but reply and accepted. */
  get verdictMask(): number {
    return (this.masks.packet & ~(0xc << this.packetShift)) >>> 0;
  }

  /** Verdict code a packet mark carries, PacketVerdict.NONE if none. */
  verdictOf(mark: number): number {
    return (mark >>> this.packetShift) & 3;
  }

  isReply(mark: number): boolean {
    return (mark & this.replyBit) !== 0;
  }

  connectionMark(generation: number): number {
    return (generation << this.connectionShift) >>> 0;
  }

  nextGeneration(generation: number): number {
    return generation >= this.maxGeneration ? 1 : generation + 1;
  }
}

/** Undefined when the mask is usable, else what is wrong with it. */
export function markMaskProblem(mask: number, minimumBits: number): string | undefined {
  if (!Number.isInteger(mask) || mask <= 0 || mask > 0xffffffff) return "must be a 32-bit number above 0";
  const run = mask >>> trailingZeros(mask);
  if ((run & (run + 1)) !== 0) return "must be one run of bits, such as 0xff00";
  if (run < 2 ** minimumBits - 1) return `must have at least ${minimumBits} bits`;
  return undefined;
}

function trailingZeros(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}
