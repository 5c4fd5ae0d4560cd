/**
 * A judged packet as the tap sees it: a copy, made only while somebody listens,
 * of the bytes and of everything that says why the verdict was what it was.
 */

export interface TapPacket {
  /** Unix time, microseconds. */
  readonly timestampMicros: number;
  /** Where it was judged: "input", "output", "forward", or a hook before or after them such as "prerouting". */
  readonly hook: string;
  readonly inInterface?: string | undefined;
  readonly outInterface?: string | undefined;
  /** Of the packet in its connection. */
  readonly direction: "original" | "reply";
  readonly verdict: "accept" | "drop" | "reject";
  readonly reason: string;
  readonly endpoint?: string | undefined;
  readonly tier?: string | undefined;
  readonly policy?: string | undefined;
  /** Such as `ingress[2]`, the position in the policy's list counting from 0. */
  readonly rule?: string | undefined;
  /** What staged policies would have made of it, on the packet that was decided and only where that differs. */
  readonly pending?: string | undefined;
  /** Policy generation that decided. */
  readonly generation: number;
  /** From the IP header on, as many bytes as were copied. */
  readonly bytes: Uint8Array;
  /** Bytes the packet had. */
  readonly originalLength: number;
}
