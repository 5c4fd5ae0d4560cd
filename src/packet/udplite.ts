/** UDP-Lite (RFC 3828): UDP with the checksum's coverage where UDP has the length. */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import { Fragment, type PacketView } from "./view.ts";

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const COVERAGE = 4;
const HEADER = 8;

/** Reads the header at `view.l4Offset`. Coverage 0 is the whole datagram, else it is at least the header. */
export function decodeUdplite(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.UDPLITE_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  view.sourcePort = read16(bytes, at + SOURCE_PORT);
  view.destinationPort = read16(bytes, at + DESTINATION_PORT);
  view.hasPorts = 1;
  view.payloadOffset = l4 + HEADER;

  const coverage = read16(bytes, at + COVERAGE);
  if (coverage !== 0 && coverage < HEADER) return ParseFailure.UDPLITE_BAD_COVERAGE;
  if (l4 + coverage > view.packetLength && view.fragment !== Fragment.FIRST) return ParseFailure.UDPLITE_BAD_COVERAGE;
  return ParseFailure.NONE;
}
