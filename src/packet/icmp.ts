/** ICMP (RFC 792, RFC 950): every message has at least 8 bytes, errors quote a packet behind them. */
import { ParseFailure } from "./failure.ts";
import { read16 } from "./network-order.ts";
import type { PacketView } from "./view.ts";

const TYPE = 0;
const CODE = 1;
const IDENTIFIER = 4;
const HEADER = 8;

/** Reads the header at `view.l4Offset`. */
export function decodeIcmp(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = view.l4Offset;
  if (l4 + HEADER > captured) {
    return l4 + HEADER > view.packetLength ? ParseFailure.ICMP_HEADER_SHORT : ParseFailure.TRUNCATED_COPY;
  }
  const at = offset + l4;
  const type = bytes[at + TYPE];
  view.icmpType = type;
  view.icmpCode = bytes[at + CODE];
  view.hasIcmp = 1;
  view.payloadOffset = l4 + HEADER;
  if (icmpCounterpart(type) !== type) view.icmpId = read16(bytes, at + IDENTIFIER);
  else if (isError(type)) view.icmpError = 1;
  return ParseFailure.NONE;
}

/** The reply to a query type and the query of a reply; any other type is its own counterpart. */
export function icmpCounterpart(type: number): number {
  switch (type) {
    case 0:
      return 8;
    case 8:
      return 0;
    case 13:
      return 14;
    case 14:
      return 13;
    case 15:
      return 16;
    case 16:
      return 15;
    case 17:
      return 18;
    case 18:
      return 17;
    default:
      return type;
  }
}

/** Destination unreachable, source quench, redirect, time exceeded, parameter problem. */
function isError(type: number): boolean {
  return (type >= 3 && type <= 5) || type === 11 || type === 12;
}
