/**
 * Bytes to a PacketView: IP header, then upper layer. Allocates nothing, throws
 * nothing, and reads only bytes[offset .. offset + length). Checksums are never
 * verified: with offloads they are not filled in yet when a packet is queued.
 */
import { ParseFailure } from "./failure.ts";
import { decodeIcmp } from "./icmp.ts";
import { decodeIcmpv6 } from "./icmpv6.ts";
import { decodeIPv4 } from "./ipv4.ts";
import { decodeIPv6 } from "./ipv6.ts";
import { EtherType, Protocol } from "./protocol.ts";
import { decodeSctp } from "./sctp.ts";
import { decodeTcp } from "./tcp.ts";
import { decodeUdp } from "./udp.ts";
import { decodeUdplite } from "./udplite.ts";
import type { PacketView } from "./view.ts";

/**
 * Decodes the packet whose IP header is at `offset`. `length` bytes were copied
 * of the `originalLength` the packet has (length <= originalLength);
 * `hardwareProtocol` is its EtherType. Returns a ParseFailure code; anything
 * but NONE means the packet must not be accepted.
 */
export function decode(
  view: PacketView,
  bytes: Uint8Array,
  offset: number,
  length: number,
  originalLength: number,
  hardwareProtocol: number,
): number {
  view.clear();
  let failure: number;
  if (hardwareProtocol === EtherType.IPV4) failure = decodeIPv4(view, bytes, offset, length, originalLength, 0);
  else if (hardwareProtocol === EtherType.IPV6) failure = decodeIPv6(view, bytes, offset, length, originalLength, 0);
  else return ParseFailure.UNKNOWN_NETWORK_PROTOCOL;
  if (failure !== ParseFailure.NONE) return failure;
  const captured = length < view.packetLength ? length : view.packetLength;
  return decodeUpperLayer(view, bytes, offset, captured);
}

function decodeUpperLayer(view: PacketView, bytes: Uint8Array, offset: number, captured: number): number {
  switch (view.protocol) {
    case Protocol.TCP:
      return decodeTcp(view, bytes, offset, captured);
    case Protocol.UDP:
      return decodeUdp(view, bytes, offset, captured);
    case Protocol.ICMP:
      if (view.family === 4) return decodeIcmp(view, bytes, offset, captured);
      break;
    case Protocol.ICMPV6:
      if (view.family === 6) return decodeIcmpv6(view, bytes, offset, captured);
      break;
    case Protocol.SCTP:
      return decodeSctp(view, bytes, offset, captured);
    case Protocol.UDPLITE:
      return decodeUdplite(view, bytes, offset, captured);
  }
  view.payloadOffset = view.l4Offset;
  return ParseFailure.NONE;
}
