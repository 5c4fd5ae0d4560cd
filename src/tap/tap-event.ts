/**
 * What travels over the control socket for the method "tap": the parameters,
 * the events and the summary that ends it. A packet's bytes are base64.
 */
import { z } from "zod";
import { RampartError } from "../errors/rampart-error.ts";
import type { TapPacket } from "./tap-packet.ts";

const MAX_SNAPLEN = 65_535;
const MAX_FILTER_LENGTH = 8_192;

const paramsSchema = z.strictObject({
  /** A pcap-filter(7) expression over IP packets; all packets without it. */
  filter: z.string().max(MAX_FILTER_LENGTH).optional(),
  /** Bytes of each packet to send. */
  snaplen: z.number().int().min(1).max(MAX_SNAPLEN).default(MAX_SNAPLEN),
  /** End after so many packets. */
  count: z.number().int().min(1).optional(),
});

const packetSchema = z.object({
  timestampMicros: z.number(),
  hook: z.string(),
  inInterface: z.string().optional(),
  outInterface: z.string().optional(),
  direction: z.enum(["original", "reply"]),
  verdict: z.enum(["accept", "drop", "reject"]),
  reason: z.string(),
  endpoint: z.string().optional(),
  tier: z.string().optional(),
  policy: z.string().optional(),
  rule: z.string().optional(),
  pending: z.string().optional(),
  generation: z.number(),
  bytes: z.string(),
  originalLength: z.number(),
});

const summarySchema = z.object({
  /** Packets sent to this reader, and packets it missed because it, or the daemon's tap, was too slow. */
  packets: z.number(),
  lost: z.number(),
});

const eventSchema = z.union([
  z.object({ packet: packetSchema }),
  z.object({ lost: z.number() }),
  z.object({ listening: z.literal(true) }),
]);

export type TapParams = z.infer<typeof paramsSchema>;
export type TapSummary = z.infer<typeof summarySchema>;
/** `lost` is the reader's total so far; `listening` comes first, once the filter is in place. */
export type TapEvent =
  | { readonly packet: TapPacket }
  | { readonly lost: number }
  | { readonly listening: true };

/** @throws RampartError RAMPART_E_TAP_PARAMS */
export function parseTapParams(params: unknown): TapParams {
  const parsed = paramsSchema.safeParse(params);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RampartError("RAMPART_E_TAP_PARAMS", `tap: ${issue?.path.join(".")} ${issue?.message}`, {
    hint: `the parameters are filter (text), snaplen (1 to ${MAX_SNAPLEN}) and count (1 or more)`,
  });
}

/** The event for a packet, its bytes cut to `snaplen`; the bytes are copied. */
export function encodePacketEvent(packet: TapPacket, snaplen: number): unknown {
  const { buffer, byteOffset, length } = packet.bytes;
  const bytes = Buffer.from(buffer, byteOffset, Math.min(length, snaplen)).toString("base64");
  return { packet: { ...packet, bytes } };
}

/** Reads an event of the daemon; undefined for one this version does not know. */
export function decodeTapEvent(event: unknown): TapEvent | undefined {
  const parsed = eventSchema.safeParse(event);
  if (!parsed.success) return undefined;
  const { data } = parsed;
  if (!("packet" in data)) return data;
  return { packet: { ...data.packet, bytes: Buffer.from(data.packet.bytes, "base64") } };
}

/** Reads the result of the method "tap"; undefined if it is none. */
export function decodeTapSummary(result: unknown): TapSummary | undefined {
  return summarySchema.safeParse(result).data;
}
