/**
 * IPv6 (RFC 8200) and its extension headers. The walk is bounded: each header
 * at most once in the order of RFC 8200 4.1 (destination options twice), so at
 * most six, and at most MAX_EXTENSION_BYTES. Headers the kernel does not step
 * over (ESP, mobility, HIP, no next header) end the walk as protocols.
 */
import { ParseFailure } from "./failure.ts";
import { read16, read32 } from "./network-order.ts";
import { Protocol } from "./protocol.ts";
import { Fragment, type PacketView } from "./view.ts";

const VERSION = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const SOURCE = 8;
const DESTINATION = 24;
const HEADER = 40;

const EXTENSION_NEXT_HEADER = 0;
const EXTENSION_LENGTH = 1;
const FRAGMENT_OFFSET = 2;
const ROUTING_TYPE = 2;
const ROUTING_SEGMENTS_LEFT = 3;
const OPTIONS = 2;
/** The smallest extension header, and the whole of a fragment header. */
const EXTENSION = 8;
/** Fixed fields of an authentication header (RFC 4302 2). */
const AUTHENTICATION = 12;

const MAX_EXTENSION_BYTES = 256;
const MAX_PAYLOAD_LENGTH = 0xffff;

const PAD1 = 0x00;
const JUMBO_PAYLOAD = 0xc2;

/** Positions in the order of RFC 8200 4.1; a walk only ever goes up. */
const Rank = { START: -1, HOP_BY_HOP: 0, FIRST_OPTIONS: 1, ROUTING: 2, FRAGMENT: 3, AUTHENTICATION: 4, OPTIONS: 5 };

/** As decodeIPv4: fills addresses, protocol, fragment, l4Offset and packetLength. */
export function decodeIPv6(
  view: PacketView,
  bytes: Uint8Array,
  offset: number,
  length: number,
  originalLength: number,
  quoted: number,
): number {
  if (length < HEADER) return originalLength < HEADER ? ParseFailure.IPV6_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  if (bytes[offset + VERSION] >> 4 !== 6) return ParseFailure.VERSION_MISMATCH;
  const words = view.words;
  view.family = 6;
  words[0] = read32(bytes, offset + SOURCE);
  words[1] = read32(bytes, offset + SOURCE + 4);
  words[2] = read32(bytes, offset + SOURCE + 8);
  words[3] = read32(bytes, offset + SOURCE + 12);
  words[4] = read32(bytes, offset + DESTINATION);
  words[5] = read32(bytes, offset + DESTINATION + 4);
  words[6] = read32(bytes, offset + DESTINATION + 8);
  words[7] = read32(bytes, offset + DESTINATION + 12);

  const payload = read16(bytes, offset + PAYLOAD_LENGTH);
  let packetLength = HEADER + payload;
  let jumbo = 0;
  if (payload === 0 && quoted === 1) {
    packetLength = originalLength;
  } else if (payload === 0 && originalLength > HEADER + MAX_PAYLOAD_LENGTH) {
    jumbo = 1;
    packetLength = originalLength;
  } else if (packetLength > originalLength) {
    if (quoted === 0) return ParseFailure.IPV6_BAD_LENGTH;
    packetLength = originalLength;
  }
  view.packetLength = packetLength;
  const captured = length < packetLength ? length : packetLength;

  let next = bytes[offset + NEXT_HEADER];
  let at = HEADER;
  let last: number = Rank.START;
  for (;;) {
    const rank = rankOf(next, last);
    if (rank < 0) break;
    if (rank <= last) return ParseFailure.IPV6_EXTENSION_ORDER;
    last = rank;
    if (at + EXTENSION > captured) return cut(view, at + EXTENSION);
    const header = offset + at;
    const units = bytes[header + EXTENSION_LENGTH];
    const size =
      rank === Rank.FRAGMENT ? EXTENSION : rank === Rank.AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
    if (at + size > HEADER + MAX_EXTENSION_BYTES) return ParseFailure.IPV6_EXTENSIONS_TOO_LONG;
    if (at + size > captured) return cut(view, at + size);

    if (rank === Rank.HOP_BY_HOP && jumbo === 1) {
      // Only a jumbogram needs an option of ours; the kernel has checked the others.
      const jumboLength = HEADER + jumboPayload(bytes, header + OPTIONS, header + size);
      if (jumboLength <= HEADER + MAX_PAYLOAD_LENGTH || jumboLength > originalLength) {
        return ParseFailure.IPV6_BAD_LENGTH;
      }
      view.packetLength = jumboLength;
      jumbo = 0;
    } else if (rank === Rank.ROUTING) {
      if (bytes[header + ROUTING_TYPE] === 0 && bytes[header + ROUTING_SEGMENTS_LEFT] !== 0) {
        return ParseFailure.IPV6_ROUTING_TYPE_ZERO;
      }
    } else if (rank === Rank.AUTHENTICATION) {
      if (size < AUTHENTICATION) return ParseFailure.IPV6_BAD_AUTHENTICATION;
    } else if (rank === Rank.FRAGMENT) {
      const fragment = read16(bytes, header + FRAGMENT_OFFSET);
      if ((fragment & 0xfff8) !== 0) {
        view.protocol = bytes[header + EXTENSION_NEXT_HEADER];
        view.l4Offset = at + size;
        view.fragment = Fragment.LATER;
        return ParseFailure.LATER_FRAGMENT;
      }
      // Offset 0 and nothing more is an atomic fragment: a whole packet (RFC 6946).
      if ((fragment & 1) !== 0) view.fragment = Fragment.FIRST;
    }
    next = bytes[header + EXTENSION_NEXT_HEADER];
    at += size;
  }
  view.protocol = next;
  view.l4Offset = at;
  // BIG TCP without the jumbo option: length 0 stands for what the kernel says the packet has.
  if (jumbo === 1 && next !== Protocol.TCP) return ParseFailure.IPV6_BAD_LENGTH;
  return ParseFailure.NONE;
}

/** Rank of an extension header that comes after one of rank `last`; -1 for an upper layer. */
function rankOf(next: number, last: number): number {
  switch (next) {
    case Protocol.HOP_BY_HOP:
      return Rank.HOP_BY_HOP;
    case Protocol.DESTINATION_OPTIONS:
      return last < Rank.FIRST_OPTIONS ? Rank.FIRST_OPTIONS : Rank.OPTIONS;
    case Protocol.ROUTING:
      return Rank.ROUTING;
    case Protocol.FRAGMENT:
      return Rank.FRAGMENT;
    case Protocol.AUTHENTICATION:
      return Rank.AUTHENTICATION;
    default:
      return -1;
  }
}

function cut(view: PacketView, needed: number): number {
  return needed > view.packetLength ? ParseFailure.IPV6_EXTENSION_SHORT : ParseFailure.TRUNCATED_COPY;
}

/** The jumbo payload option's value (RFC 2675 2) among the options in [at, end); 0 if there is none. */
function jumboPayload(bytes: Uint8Array, at: number, end: number): number {
  while (at + 1 < end) {
    const type = bytes[at];
    if (type === PAD1) {
      at += 1;
      continue;
    }
    const next = at + 2 + bytes[at + 1];
    if (next > end) return 0;
    if (type === JUMBO_PAYLOAD) return next - at === 6 ? read32(bytes, at + 2) : 0;
    at = next;
  }
  return 0;
}
