/** SCTP's common header (RFC 9260 3.1); chunks are conntrack's to judge, CRC32c the receiver's. */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import type { PacketView } from "./view.ts";

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const HEADER = 12;

/** Reads the header at `view.l4Offset`. */
export function decodeSctp(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.SCTP_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  view.sourcePort = read16(bytes, at + SOURCE_PORT);
  view.destinationPort = read16(bytes, at + DESTINATION_PORT);
  view.hasPorts = 1;
  view.payloadOffset = l4 + HEADER;
  return ParseFailure.NONE;
}
