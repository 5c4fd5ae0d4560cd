/** UDP (RFC 768). Source port 0 is legal there; destination port 0 is left to the policy. */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import { Fragment, type PacketView } from "./view.ts";

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const HEADER = 8;

/**
 * Reads the header at `view.l4Offset`. The length field counts the header, may
 * be less than what IP carries, and in a first fragment counts bytes of later
 * ones. Length 0 (a UDP jumbogram, RFC 2675 4) is refused: Linux sends none.
 */
export function decodeUdp(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.UDP_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  view.sourcePort = read16(bytes, at + SOURCE_PORT);
  view.destinationPort = read16(bytes, at + DESTINATION_PORT);
  view.hasPorts = 1;
  view.payloadOffset = l4 + HEADER;

  const length = read16(bytes, at + LENGTH);
  if (length < HEADER) return ParseFailure.UDP_BAD_LENGTH;
  if (l4 + length > view.packetLength && view.fragment !== Fragment.FIRST) return ParseFailure.UDP_BAD_LENGTH;
  return ParseFailure.NONE;
}
