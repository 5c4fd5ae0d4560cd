/**
 * TCP (RFC 9293). The whole header has to be there, options included, though
 * they are not read: a header cut by the sender is an evasion, one cut by the
 * copy range is a setting to correct.
 */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import type { PacketView } from "./view.ts";

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const DATA_OFFSET = 12;
const FLAGS = 13;
const HEADER = 20;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** Reads the header at `view.l4Offset`; `captured` bytes of the packet at `offset` are there to read. */
export function decodeTcp(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.TCP_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  view.sourcePort = read16(bytes, at + SOURCE_PORT);
  view.destinationPort = read16(bytes, at + DESTINATION_PORT);
  view.hasPorts = 1;
  view.tcpFlags = bytes[at + FLAGS];

  const header = (bytes[at + DATA_OFFSET] >> 4) * 4;
  if (header < HEADER || l4 + header > view.packetLength) return ParseFailure.TCP_BAD_DATA_OFFSET;
  if (l4 + header > captured) return ParseFailure.TRUNCATED_COPY;
  view.payloadOffset = l4 + header;
  return plausibleFlags(view.tcpFlags) ? ParseFailure.NONE : ParseFailure.TCP_BAD_FLAGS;
}

/**
 * One of SYN, RST and FIN at most; FIN and plain segments carry ACK. Conntrack
 * calls the rest INVALID too, but its check can be switched off, ours cannot.
 */
function plausibleFlags(flags: number): boolean {
  const control = flags & (SYN | RST | FIN);
  if (control === SYN || control === RST) return true;
  return (control === 0 || control === FIN) && (flags & ACK) !== 0;
}
