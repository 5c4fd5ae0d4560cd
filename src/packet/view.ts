/**
 * The decoded packet. The caller owns one and hands it to every decode; it is
 * overwritten each time and holds nothing of an earlier packet. Every field is
 * a small integer, always set, so that the object keeps one shape.
 *
 * After a failed decode the fields read up to the failure are filled and the
 * rest are 0: enough to name the packet in a log, never enough to judge it.
 */

/** `PacketView.fragment`. */
export const Fragment = { NONE: 0, FIRST: 1, LATER: 2 } as const;

export class PacketView {
  /**
   * Source in 0..3, destination in 4..7; each word in host order, the most
   * significant word first. An IPv4 address is in word 3 or 7, the others are 0.
   */
  readonly words = new Uint32Array(8);
  /** 4 or 6; 0 before the IP header was accepted. */
  family = 0;
  /** Upper-layer protocol number: behind the extension headers for IPv6. */
  protocol = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** 1 when the ports were read. Port 0 is a value like any other; without ports both are 0 and mean nothing. */
  hasPorts = 0;
  icmpType = 0;
  icmpCode = 0;
  /** Identifier of ICMP queries (echo, timestamp, information, address mask; ICMPv6 echo), else 0. */
  icmpId = 0;
  /** 1 when ICMP type and code were read; protocol 1 in IPv6 and 58 in IPv4 are not ICMP. */
  hasIcmp = 0;
  /** Byte 13 of the TCP header: CWR ECE URG ACK PSH RST SYN FIN. */
  tcpFlags = 0;
  /** A Fragment code. A decode that succeeds never leaves LATER here. */
  fragment = 0;
  /** Bytes from the first byte of the IP header to the upper-layer header. */
  l4Offset = 0;
  /** Bytes from the first byte of the IP header to what the upper layer carries. */
  payloadOffset = 0;
  /** Bytes of the packet by its own IP header; link-layer padding behind it is not counted. */
  packetLength = 0;
  /** 1 when this is an ICMP error; `decodeEmbedded` reads the packet it quotes. */
  icmpError = 0;

  /** Back to the state before any decode. */
  clear(): void {
    const words = this.words;
    words[0] = 0;
    words[1] = 0;
    words[2] = 0;
    words[3] = 0;
    words[4] = 0;
    words[5] = 0;
    words[6] = 0;
    words[7] = 0;
    this.family = 0;
    this.protocol = 0;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.hasPorts = 0;
    this.icmpType = 0;
    this.icmpCode = 0;
    this.icmpId = 0;
    this.hasIcmp = 0;
    this.tcpFlags = 0;
    this.fragment = 0;
    this.l4Offset = 0;
    this.payloadOffset = 0;
    this.packetLength = 0;
    this.icmpError = 0;
  }
}
