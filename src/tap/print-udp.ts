/** UDP (RFC 768) without a look into the payload: the tap shows who talks, not what is said. */
import type { ByteView } from "./byte-view.ts";
import { type IpEnvelope, type PacketText, writePorts } from "./packet-text.ts";

const HEADER = 8;
const LENGTH = 4;

export function printUdp(out: PacketText, view: ByteView, ip: IpEnvelope): void {
  out.protocol = "udp";
  writePorts(out, view, ip, "udp");
  const length = view.u16(LENGTH);
  if (length < HEADER) out.write(`truncated-udplength ${length}`);
  else if (length > ip.length && !ip.fragment) out.write(`UDP, bad length ${length - HEADER} > ${ip.length - HEADER}`);
  else out.write(`UDP, length ${length - HEADER}`);
}
