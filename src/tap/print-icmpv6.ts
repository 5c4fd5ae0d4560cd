/** ICMPv6 (RFC 4443), neighbour discovery (RFC 4861) and listener discovery (RFC 3810) by name and target. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, addressAt } from "./packet-text.ts";

const CODE = 1;
const REST = 4;
const TARGET = 8;
const REDIRECT_DESTINATION = 24;
const ORIGINAL = 8;
const ORIGINAL_NEXT_HEADER = ORIGINAL + 6;
const ORIGINAL_DESTINATION = ORIGINAL + 24;
const ORIGINAL_PORTS = ORIGINAL + 40;
const MLD2_RECORDS = 6;
const TCP = 6;
const UDP = 17;

const UNREACHABLE: readonly string[] = [
  "unreachable route",
  "unreachable prohibited",
  "beyond scope",
  "unreachable address",
  "unreachable port",
];
const UNREACHABLE_PORT = 4;
const PARAMETER: readonly string[] = ["erroneous", "next header", "option"];

export function printIcmpv6(out: PacketText, view: ByteView, ip: IpEnvelope): void {
  out.protocol = "icmp6";
  if (!ip.extended) out.write(`${ip.source} > ${ip.destination}: `);
  out.write("ICMP6, ");
  out.write(`${message(out, view)}, length ${ip.length}`);
}

function message(out: PacketText, view: ByteView): string {
  const type = view.u8(0);
  const code = view.u8(CODE);
  switch (type) {
    case 1:
      return `destination unreachable, ${unreachable(out, view, code)}`;
    case 2:
      return `packet too big, mtu ${view.u32(REST)}`;
    case 3:
      if (code > 1) return `time exceeded, unknown code (${code})`;
      if (code === 1) return "time exceeded, ip reassembly time exceeded";
      return `time exceeded in-transit for ${addressAt(view, ORIGINAL_DESTINATION, 6)}`;
    case 4:
      return `parameter problem, ${PARAMETER[code] ?? `code-#${code}`} - octet ${view.u32(REST)}`;
    case 128:
      return `echo request, id ${view.u16(REST)}, seq ${view.u16(REST + 2)}`;
    case 129:
      return `echo reply, id ${view.u16(REST)}, seq ${view.u16(REST + 2)}`;
    case 130:
      return "multicast listener query";
    case 131:
      return "multicast listener report";
    case 132:
      return "multicast listener done";
    case 133:
      return "router solicitation";
    case 134:
      return "router advertisement";
    case 135:
      return `neighbor solicitation, who has ${addressAt(view, TARGET, 6)}`;
    case 136:
      return `neighbor advertisement, tgt is ${addressAt(view, TARGET, 6)}`;
    case 137:
      return `redirect, ${addressAt(view, REDIRECT_DESTINATION, 6)} to ${addressAt(view, TARGET, 6)}`;
    case 143:
      return `multicast listener report v2, ${view.u16(MLD2_RECORDS)} group record(s)`;
    default:
      return `type-#${type}`;
  }
}

function unreachable(out: PacketText, view: ByteView, code: number): string {
  const destination = addressAt(view, ORIGINAL_DESTINATION, 6);
  const text = UNREACHABLE[code] ?? `unknown unreach code (${code})`;
  if (code !== UNREACHABLE_PORT) return `${text} ${destination}`;
  const protocol = view.u8(ORIGINAL_NEXT_HEADER);
  if (protocol !== TCP && protocol !== UDP) return `${text}, ${destination} protocol ${protocol}`;
  const name = protocol === TCP ? "tcp" : "udp";
  return `${text}, ${destination} ${name} port ${out.port(view.u16(ORIGINAL_PORTS + 2), name)}`;
}
