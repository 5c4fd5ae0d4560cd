/**
 * The text of one packet while the protocol printers write it, in the layout
 * tcpdump users know. A printer that runs out of captured bytes throws
 * Truncated; what it had written stays.
 */
import { type Family, formatAddress } from "../address/address.ts";
import type { ByteView } from "./byte-view.ts";

export type PortProtocol = "tcp" | "udp" | "sctp";

/** The name of a port, undefined where it has none. */
export type PortNames = (port: number, protocol: PortProtocol) => string | undefined;

export class PacketText {
  text = "";
  /** Who is writing, for `[|proto]`. */
  protocol = "ip";
  readonly #names: PortNames | undefined;

  /** Without `names` ports are numbers. */
  constructor(names: PortNames | undefined) {
    this.#names = names;
  }

  write(text: string): void {
    this.text += text;
  }

  port(port: number, protocol: PortProtocol): string {
    return this.#names?.(port, protocol) ?? String(port);
  }
}

/** What a transport printer needs to know of the IP packet around it. */
export interface IpEnvelope {
  readonly family: Family;
  readonly source: string;
  readonly destination: string;
  /** Bytes of the transport segment according to the IP header, whatever was captured of it. */
  readonly length: number;
  /** An IPv6 extension header came before, after which tcpdump leaves the addresses out. */
  readonly extended: boolean;
  /** More fragments follow, so the transport header may speak of more bytes than are here. */
  readonly fragment: boolean;
}

export function addressAt(view: ByteView, offset: number, family: Family): string {
  return formatAddress({ family, value: view.integer(offset, family === 4 ? 4 : 16) });
}

/** Writes `a.port > b.port: ` and leaves the source port's bytes at 0 and the destination's at 2. */
export function writePorts(out: PacketText, view: ByteView, ip: IpEnvelope, protocol: PortProtocol): void {
  const source = out.port(view.u16(0), protocol);
  const destination = out.port(view.u16(2), protocol);
  if (ip.extended) out.write(`${source} > ${destination}: `);
  else out.write(`${ip.source}.${source} > ${ip.destination}.${destination}: `);
}
