/**
 * What Rampart writes into marks. Two fields, each inside a mask the user can
 * move away from other programs' bits:
 *
 *   connection mark: a generation (1..max-1), 0 undecided, max "rejected"
 *   packet mark, from its lowest bit: verdict (2), reply (1), accepted (1),
 *   raw (1), and the generation that decided, modulo what the remaining bits hold
 *
 * Most of the packet mark lives only between our verdict (NF_REPEAT) and the
 * rule that carries it out. "Accepted" (SEMANTICS 3.4, A) stays with the packet
 * from the raw and mangle hooks to the filter hook, together with the
 * generation that accepted it, so that no other generation takes it for its
 * own. The connection mark lives as long as the connection.
 */

export interface MarkMasks {
  /** Contiguous, at least 7 bits. */
  readonly packet: number;
  /** Contiguous, at least 4 bits. */
  readonly connection: number;
}

/** Clear of what kube-proxy (packet 0xc000), Cilium (packet 0x0f00) and Tailscale (both 0xff0000) use. */
export const DEFAULT_MARK_MASKS: MarkMasks = { packet: 0xff000000, connection: 0x0000ff00 };

/** RETURN: not denied, the connection is ours to let pass from now on, but this packet goes on to the user's own rules. */
export const PacketVerdict = { NONE: 0, ALLOW: 1, REJECT: 2, RETURN: 3 } as const;

/** Packet-mark bits below the generation. */
const GENERATION_SHIFT = 5;

export class MarkLayout {
  readonly masks: MarkMasks;
  readonly packetShift: number;
  readonly connectionShift: number;
  /** Connection value that means: rejected, let only the refusal itself through. */
  readonly rejected: number;
  /** Generations run from 1 to this, then wrap to 1. */
  readonly maxGeneration: number;
  /** Packet-mark bit (in place) that says: this packet travels in the reply direction. */
  readonly replyBit: number;
  /** Packet-mark bit (in place) that says: a preDNAT or untracked policy has accepted this packet. */
  readonly acceptedBit: number;
  /**
   * Packet-mark bit (in place) that says, at PREROUTING and OUTPUT: queued from the raw table, before conntrack.
   * Between OUTPUT and POSTROUTING it says: a local packet with a new destination (DNAT), not judged yet.
   */
  readonly rawBit: number;
  readonly #packetGenerations: number;

  constructor(masks: MarkMasks = DEFAULT_MARK_MASKS) {
    this.masks = masks;
    this.packetShift = trailingZeros(masks.packet);
    this.connectionShift = trailingZeros(masks.connection);
    this.rejected = masks.connection >>> this.connectionShift;
    this.maxGeneration = this.rejected - 1;
    this.replyBit = (4 << this.packetShift) >>> 0;
    this.acceptedBit = (8 << this.packetShift) >>> 0;
    this.rawBit = (16 << this.packetShift) >>> 0;
    this.#packetGenerations = ((masks.packet >>> this.packetShift) >>> GENERATION_SHIFT) + 1;
  }

  /** Packet mark for "this verdict, decided under this generation", in place; goes with verdictMask. */
  verdictMark(verdict: number, generation: number): number {
    return ((((generation % this.#packetGenerations) << GENERATION_SHIFT) | verdict) << this.packetShift) >>> 0;
  }

  /** Mask that goes with verdictMark: every packet bit but reply, accepted and raw. */
  get verdictMask(): number {
    return (this.masks.packet & ~(this.replyBit | this.acceptedBit | this.rawBit)) >>> 0;
  }

  /** The verdict code's bits alone. */
  get verdictBits(): number {
    return (3 << this.packetShift) >>> 0;
  }

  /** Packet mark for "accepted under this generation, nothing else decided", in place; goes with acceptedMask. */
  acceptedMark(generation: number): number {
    return (this.verdictMark(PacketVerdict.NONE, generation) | this.acceptedBit) >>> 0;
  }

  /** Mask that goes with acceptedMark. */
  get acceptedMask(): number {
    return (this.verdictMask | this.acceptedBit) >>> 0;
  }

  /**
   * Every bit of ours in the mark of a canary (hooks/canary.ts), the other bits being nobody's business. No packet that
   * is asked about has it: raw clears the reply bit, and what sets the reply bit has cleared raw.
   */
  get canaryMark(): number {
    return (this.replyBit | this.rawBit) >>> 0;
  }

  /** Verdict code a packet mark carries, PacketVerdict.NONE if none. */
  verdictOf(mark: number): number {
    return (mark >>> this.packetShift) & 3;
  }

  isReply(mark: number): boolean {
    return (mark & this.replyBit) !== 0;
  }

  /** Whether a preDNAT or untracked policy of `generation` accepted the packet (SEMANTICS 3.4, A=1). */
  isAccepted(mark: number, generation: number): boolean {
    return (mark & this.acceptedMask) >>> 0 === this.acceptedMark(generation);
  }

  /** Whether a packet at PREROUTING or OUTPUT was queued from the raw table, so by untracked policy. */
  isRaw(mark: number): boolean {
    return (mark & this.rawBit) !== 0;
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
