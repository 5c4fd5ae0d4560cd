/** ICMPv6 (RFC 4443): types below 128 are errors; the kernel takes no message under 8 bytes, nor do we. */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import type { PacketView } from "./view.ts";

const TYPE = 0;
const CODE = 1;
const IDENTIFIER = 4;
const HEADER = 8;

const FIRST_INFORMATIONAL = 128;
const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const NODE_INFORMATION_QUERY = 139;
const NODE_INFORMATION_REPLY = 140;

/** Reads the header at `view.l4Offset`. */
export function decodeIcmpv6(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.ICMPV6_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  const type = bytes[at + TYPE];
  view.icmpType = type;
  view.icmpCode = bytes[at + CODE];
  view.hasIcmp = 1;
  view.payloadOffset = l4 + HEADER;
  if (type < FIRST_INFORMATIONAL) view.icmpError = 1;
  else if (type === ECHO_REQUEST || type === ECHO_REPLY) view.icmpId = read16(bytes, at + IDENTIFIER);
  return ParseFailure.NONE;
}

/** The reply to a query type and the query of a reply; any other type is its own counterpart. */
export function icmpv6Counterpart(type: number): number {
  switch (type) {
    case ECHO_REQUEST:
      return ECHO_REPLY;
    case ECHO_REPLY:
      return ECHO_REQUEST;
    case NODE_INFORMATION_QUERY:
      return NODE_INFORMATION_REPLY;
    case NODE_INFORMATION_REPLY:
      return NODE_INFORMATION_QUERY;
    default:
      return type;
  }
}
