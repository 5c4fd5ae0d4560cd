/**
 * IPv4 (RFC 791). Options are stepped over, not read; the header checksum was
 * the kernel's to verify. AH is an upper layer here, as it is for iptables.
 */
import { ParseFailure } from "./failure.ts";
import { read16, read32 } from "./network-order.ts";
import { Protocol } from "./protocol.ts";
import { Fragment, type PacketView } from "./view.ts";

const VERSION_IHL = 0;
const TOTAL_LENGTH = 2;
const FRAGMENT = 6;
const PROTOCOL = 9;
const SOURCE = 12;
const DESTINATION = 16;
const HEADER = 20;

const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET = 0x1fff;
const MAX_TOTAL_LENGTH = 0xffff;

/**
 * Fills addresses, protocol, fragment, l4Offset and packetLength from the
 * header at `offset`. `length` bytes are there to read, `originalLength` bytes
 * has the packet. `quoted` 1 is a packet inside an ICMP error: it may end
 * before its total length, and packetLength is then what there is of it.
 */
export function decodeIPv4(
  view: PacketView,
  bytes: Uint8Array,
  offset: number,
  length: number,
  originalLength: number,
  quoted: number,
): number {
  if (length < HEADER) return originalLength < HEADER ? ParseFailure.IPV4_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  const first = bytes[offset + VERSION_IHL];
  if (first >> 4 !== 4) return ParseFailure.VERSION_MISMATCH;
  const protocol = bytes[offset + PROTOCOL];
  view.family = 4;
  view.protocol = protocol;
  view.words[3] = read32(bytes, offset + SOURCE);
  view.words[7] = read32(bytes, offset + DESTINATION);

  const header = (first & 0x0f) * 4;
  if (header < HEADER) return ParseFailure.IPV4_BAD_HEADER_LENGTH;
  let total = read16(bytes, offset + TOTAL_LENGTH);
  // BIG TCP: a GSO packet above 64 KiB has no total length that fits, so the kernel writes 0.
  if (total === 0 && protocol === Protocol.TCP && (originalLength > MAX_TOTAL_LENGTH || quoted === 1)) {
    total = originalLength;
  }
  if (header > originalLength) return ParseFailure.IPV4_HEADER_SHORT;
  if (total < header) return ParseFailure.IPV4_BAD_LENGTH;
  if (total > originalLength) {
    if (quoted === 0) return ParseFailure.IPV4_BAD_LENGTH;
    total = originalLength;
  }
  view.packetLength = total;
  if (header > length) return ParseFailure.TRUNCATED_COPY;
  view.l4Offset = header;

  const fragment = read16(bytes, offset + FRAGMENT);
  if ((fragment & FRAGMENT_OFFSET) !== 0) {
    view.fragment = Fragment.LATER;
    return ParseFailure.LATER_FRAGMENT;
  }
  if ((fragment & MORE_FRAGMENTS) !== 0) view.fragment = Fragment.FIRST;
  return ParseFailure.NONE;
}
