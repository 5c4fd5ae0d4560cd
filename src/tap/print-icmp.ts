/** ICMP (RFC 792, 950, 1191, 1812). Errors name the address and port of the packet they are about. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, addressAt } from "./packet-text.ts";

const CODE = 1;
/** Identifier and sequence of a query, gateway of a redirect, pointer of a problem; an MTU is in the second half. */
const REST = 4;
const ORIGINAL = 8;
const ORIGINAL_PROTOCOL = ORIGINAL + 9;
const ORIGINAL_DESTINATION = ORIGINAL + 16;
const TCP = 6;
const UDP = 17;

/** By code; # stands for the unreachable destination. */
const UNREACHABLE: readonly string[] = [
  "net # unreachable",
  "host # unreachable",
  "",
  "",
  "",
  "# unreachable - source route failed",
  "net # unreachable - unknown",
  "host # unreachable - unknown",
  "# unreachable - source host isolated",
  "net # unreachable - admin prohibited",
  "host # unreachable - admin prohibited",
  "net # unreachable - tos prohibited",
  "host # unreachable - tos prohibited",
  "host # unreachable - admin prohibited filter",
  "host # unreachable - host precedence violation",
  "host # unreachable - precedence cutoff",
];
const REDIRECT: readonly string[] = [
  "redirect # to net",
  "redirect # to host",
  "redirect-tos # to net",
  "redirect-tos # to host",
];
const OTHER: Readonly<Record<number, string>> = {
  4: "source quench",
  9: "router advertisement",
  10: "router solicitation",
  13: "time stamp query",
  14: "time stamp reply",
  17: "address mask request",
  18: "address mask reply",
};

export function printIcmp(out: PacketText, view: ByteView, ip: IpEnvelope): void {
  out.protocol = "icmp";
  out.write(`${ip.source} > ${ip.destination}: ICMP `);
  out.write(`${message(out, view)}, length ${ip.length}`);
}

function message(out: PacketText, view: ByteView): string {
  const type = view.u8(0);
  const code = view.u8(CODE);
  switch (type) {
    case 0:
      return `echo reply, id ${view.u16(REST)}, seq ${view.u16(REST + 2)}`;
    case 8:
      return `echo request, id ${view.u16(REST)}, seq ${view.u16(REST + 2)}`;
    case 3:
      return unreachable(out, view, code);
    case 5: {
      const text = REDIRECT[code] ?? `redirect-#${code} # to net`;
      return `${text.replace("#", addressAt(view, ORIGINAL_DESTINATION, 4))} ${addressAt(view, REST, 4)}`;
    }
    case 11:
      if (code > 1) return `time exceeded-#${code}`;
      return code === 0 ? "time exceeded in-transit" : "ip reassembly time exceeded";
    case 12:
      return code === 0 ? `parameter problem - octet ${view.u8(REST)}` : `parameter problem - code ${code}`;
    default:
      return OTHER[type] ?? `type-#${type}`;
  }
}

function unreachable(out: PacketText, view: ByteView, code: number): string {
  const destination = addressAt(view, ORIGINAL_DESTINATION, 4);
  const protocol = view.u8(ORIGINAL_PROTOCOL);
  if (code === 2) return `${destination} protocol ${protocol} unreachable`;
  if (code === 4) {
    const mtu = view.u16(REST + 2);
    return `${destination} unreachable - need to frag${mtu === 0 ? "" : ` (mtu ${mtu})`}`;
  }
  if (code === 3) {
    const headerLength = (view.u8(ORIGINAL) & 0x0f) * 4;
    const port = view.u16(ORIGINAL + headerLength + 2);
    if (protocol === TCP) return `${destination} tcp port ${out.port(port, "tcp")} unreachable`;
    if (protocol === UDP) return `${destination} udp port ${out.port(port, "udp")} unreachable`;
    return `${destination} protocol ${protocol} port ${port} unreachable`;
  }
  return (UNREACHABLE[code] ?? `# unreachable - #${code}`).replace("#", destination);
}
