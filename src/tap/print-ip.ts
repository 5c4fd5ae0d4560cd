/** IPv4 (RFC 791), IPv6 (RFC 8200) with its extension headers, and the way to the transport printers. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, addressAt } from "./packet-text.ts";
import { printIcmp } from "./print-icmp.ts";
import { printIcmpv6 } from "./print-icmpv6.ts";
import { printSctp } from "./print-sctp.ts";
import { printTcp } from "./print-tcp.ts";
import { printUdp } from "./print-udp.ts";

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
/** In the fragment word of IPv4, which counts the offset in units of 8 bytes. */
const MORE_FRAGMENTS_4 = 0x2000;
const FRAGMENT_OFFSET_4 = 0x1fff;
/** In the fragment word of IPv6's fragment header, whose offset is in place as bytes. */
const MORE_FRAGMENTS_6 = 0x0001;
const FRAGMENT_OFFSET_6 = 0xfff8;

const Protocol = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  ROUTING: 43,
  FRAGMENT: 44,
  ICMPV6: 58,
  DESTINATION_OPTIONS: 60,
  SCTP: 132,
} as const;
const EXTENSIONS: readonly number[] = [
  Protocol.HOP_BY_HOP,
  Protocol.ROUTING,
  Protocol.FRAGMENT,
  Protocol.DESTINATION_OPTIONS,
];
const PORT_PROTOCOLS: readonly number[] = [Protocol.TCP, Protocol.UDP, Protocol.SCTP];

/** IANA names of protocols that have no printer. */
const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  2: "igmp",
  4: "ipip",
  41: "ipv6",
  46: "rsvp",
  47: "gre",
  50: "esp",
  51: "ah",
  59: "no next header",
  88: "eigrp",
  89: "ospf",
  103: "pim",
  108: "ipcomp",
  112: "vrrp",
  115: "l2tp",
  136: "udplite",
};

/** Writes the packet that starts with an IP header; `originalLength` is its length before the capture cut it. */
export function printIp(out: PacketText, view: ByteView, originalLength: number): void {
  const version = view.u8(0) >>> 4;
  if (version === 4) printIpv4(out, view, originalLength);
  else if (version === 6) printIpv6(out, view, originalLength);
  else out.write(`unknown ip ${version}`);
}

function printIpv4(out: PacketText, view: ByteView, originalLength: number): void {
  out.write("IP ");
  const headerLength = (view.u8(0) & 0x0f) * 4;
  if (headerLength < IPV4_HEADER) {
    out.write(`bad-hlen ${headerLength}`);
    return;
  }
  const total = view.u16(2);
  if (total < headerLength) {
    out.write(`bad-len ${total}`);
    return;
  }
  if (total > originalLength) out.write(`truncated-ip - ${total - originalLength} bytes missing! `);
  const ip: IpEnvelope = {
    family: 4,
    source: addressAt(view, 12, 4),
    destination: addressAt(view, 16, 4),
    length: total - headerLength,
    extended: false,
    fragment: (view.u16(6) & MORE_FRAGMENTS_4) !== 0,
  };
  const protocol = view.u8(9);
  if ((view.u16(6) & FRAGMENT_OFFSET_4) === 0) printTransport(out, view.from(headerLength, total), ip, protocol);
  else out.write(`${ip.source} > ${ip.destination}: ${laterFragmentName(protocol)}`);
}

function laterFragmentName(protocol: number): string {
  const name = Object.entries(Protocol).find(([, number]) => number === protocol)?.[0].toLowerCase();
  return name ?? PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`;
}

function printIpv6(out: PacketText, view: ByteView, originalLength: number): void {
  out.protocol = "ip6";
  out.write("IP6 ");
  const end = IPV6_HEADER + view.u16(4);
  if (end > originalLength) out.write(`truncated-ip6 - ${end - originalLength} bytes missing!`);
  const source = addressAt(view, 8, 6);
  const destination = addressAt(view, 24, 6);
  let next = view.u8(6);
  let at = IPV6_HEADER;
  let fragment = false;
  // Each extension header has at least 8 bytes, so the packet's own length bounds the walk.
  while (at < end) {
    if (at === IPV6_HEADER && isExtension(next)) out.write(`${source} > ${destination}: `);
    if (next === Protocol.FRAGMENT) {
      const offset = view.u16(at + 2) & FRAGMENT_OFFSET_6;
      fragment = (view.u16(at + 2) & MORE_FRAGMENTS_6) !== 0;
      out.write(`frag (${offset}|${end - at - 8})`);
      next = view.u8(at);
      at += 8;
      if (offset !== 0) return;
      out.write(" ");
    } else if (isExtension(next)) {
      out.write(`${extensionName(next)} `);
      const length = (view.u8(at + 1) + 1) * 8;
      next = view.u8(at);
      at += length;
    } else {
      break;
    }
  }
  if (at > end) {
    out.write(" [|ip6]");
    return;
  }
  const extended = at > IPV6_HEADER;
  const ip: IpEnvelope = { family: 6, source, destination, length: end - at, extended, fragment };
  printTransport(out, view.from(at, end), ip, next);
}

function isExtension(next: number): boolean {
  return EXTENSIONS.includes(next);
}

function extensionName(next: number): string {
  if (next === Protocol.HOP_BY_HOP) return "HBH";
  return next === Protocol.ROUTING ? "RT6" : "DSTOPT";
}

function printTransport(out: PacketText, view: ByteView, ip: IpEnvelope, protocol: number): void {
  // Without even the ports the addresses are all there is to say.
  if (PORT_PROTOCOLS.includes(protocol) && view.length < 4 && !ip.extended) {
    out.write(`${ip.source} > ${ip.destination}: `);
  }
  if (protocol === Protocol.TCP) printTcp(out, view, ip);
  else if (protocol === Protocol.UDP) printUdp(out, view, ip);
  else if (protocol === Protocol.SCTP) printSctp(out, view, ip);
  else if (protocol === Protocol.ICMP && ip.family === 4) printIcmp(out, view, ip);
  else if (protocol === Protocol.ICMPV6 && ip.family === 6) printIcmpv6(out, view, ip);
  else {
    if (!ip.extended) out.write(`${ip.source} > ${ip.destination}: `);
    out.write(`${PROTOCOL_NAMES[protocol] ?? `ip-proto-${protocol}`} ${ip.length}`);
  }
}
