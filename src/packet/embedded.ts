/**
 * The packet an ICMP error quotes: an IP header and at least 8 bytes behind it
 * (RFC 792, RFC 4443 3), which reach the ports but not the end of a TCP header.
 * It tells which flow the error belongs to; it comes from the network, so it
 * proves nothing about that flow.
 */
import { ParseFailure } from "./failure.ts";
import { decodeIcmp } from "./icmp.ts";
import { decodeIcmpv6 } from "./icmpv6.ts";
import { decodeIPv4 } from "./ipv4.ts";
import { decodeIPv6 } from "./ipv6.ts";
import { read16 } from "./network-order.ts";
import { Protocol } from "./protocol.ts";
import type { PacketView } from "./view.ts";

/** Ports are in the same place for TCP, UDP, UDP-Lite and SCTP. */
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const QUOTED = 8;

/**
 * Decodes into `inner` the packet quoted by `view`, which was decoded from the
 * same `bytes`, `offset` and `length` and has icmpError 1. The inner packet has
 * the outer's family. Its offsets count from its own IP header; packetLength is
 * what the error carries of it; TCP flags are 0. Returns a ParseFailure code.
 */
export function decodeEmbedded(
  inner: PacketView,
  view: PacketView,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  inner.clear();
  const start = view.payloadOffset;
  const captured = (length < view.packetLength ? length : view.packetLength) - start;
  const carried = view.packetLength - start;
  const failure =
    view.family === 4
      ? decodeIPv4(inner, bytes, offset + start, captured, carried, 1)
      : decodeIPv6(inner, bytes, offset + start, captured, carried, 1);
  if (failure !== ParseFailure.NONE) return failure;
  const readable = captured < inner.packetLength ? captured : inner.packetLength;
  return decodeQuotedUpperLayer(inner, bytes, offset + start, readable);
}

function decodeQuotedUpperLayer(inner: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  const l4 = inner.l4Offset;
  inner.payloadOffset = l4;
  switch (inner.protocol) {
    case Protocol.TCP:
    case Protocol.UDP:
    case Protocol.UDPLITE:
    case Protocol.SCTP:
      if (l4 + QUOTED > captured) {
        return l4 + QUOTED > inner.packetLength ? ParseFailure.EMBEDDED_SHORT : ParseFailure.TRUNCATED_COPY;
      }
      inner.sourcePort = read16(bytes, offset + l4 + SOURCE_PORT);
      inner.destinationPort = read16(bytes, offset + l4 + DESTINATION_PORT);
      inner.hasPorts = 1;
      return ParseFailure.NONE;
    case Protocol.ICMP:
      if (inner.family === 4) return notAnError(inner, decodeIcmp(inner, bytes, offset, captured));
      return ParseFailure.NONE;
    case Protocol.ICMPV6:
      if (inner.family === 6) return notAnError(inner, decodeIcmpv6(inner, bytes, offset, captured));
      return ParseFailure.NONE;
    default:
      return ParseFailure.NONE;
  }
}

function notAnError(inner: PacketView, failure: number): number {
  return failure === ParseFailure.NONE && inner.icmpError === 1 ? ParseFailure.EMBEDDED_ICMP_ERROR : failure;
}
