/** Builds packets for the tap's tests. Checksums are 0: neither tcpdump without -v nor the tap looks at them. */
import { isIPv4 } from "node:net";
import { parseAddress } from "../../src/address/address.ts";
import type { TapPacket } from "../../src/tap/tap-packet.ts";

export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

export function ip(source: string, destination: string, protocol: number, payload: Buffer, fragment = 0): Buffer {
  if (isIPv4(source)) return ipv4(source, destination, protocol, payload, fragment);
  return ipv6(source, destination, protocol, payload);
}

function ipv4(source: string, destination: string, protocol: number, payload: Buffer, fragment: number): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(0x1234, 4);
  header.writeUInt16BE(fragment, 6);
  header[8] = 64;
  header[9] = protocol;
  return Buffer.concat([header.subarray(0, 12), address(source), address(destination), payload]);
}

function ipv6(source: string, destination: string, next: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = next;
  header[7] = 64;
  return Buffer.concat([header, address(source), address(destination), payload]);
}

function address(text: string): Buffer {
  const { family, value } = parseAddress(text)!;
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, "0"), "hex");
}

interface TcpFields {
  readonly flags: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly window?: number;
  readonly urgent?: number;
  readonly options?: string;
  readonly data?: string;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export function tcp(source: number, destination: number, fields: TcpFields): Buffer {
  const options = Buffer.from(fields.options ?? "", "hex");
  const header = Buffer.alloc(20);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(fields.sequence ?? 1_000, 4);
  header.writeUInt32BE(fields.acknowledgement ?? 2_000, 8);
  header[12] = ((20 + options.length) / 4) << 4;
  header[13] = fields.flags;
  header.writeUInt16BE(fields.window ?? 64_240, 14);
  header.writeUInt16BE(fields.urgent ?? 0, 18);
  return Buffer.concat([header, options, Buffer.from(fields.data ?? "")]);
}

export function udp(source: number, destination: number, data: string, length = 8 + data.length): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt16BE(length, 4);
  return Buffer.concat([header, Buffer.from(data)]);
}

/** ICMP and ICMPv6: type, code, no checksum, then the rest. */
export function icmp(type: number, code: number, rest: string, body: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from([type, code, 0, 0]), Buffer.from(rest, "hex"), body]);
}

export function sctp(source: number, destination: number, chunks: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(0xabcd, 4);
  return Buffer.concat([header, Buffer.from(chunks, "hex")]);
}

export function tapPacket(bytes: Uint8Array, fields: Partial<TapPacket> = {}): TapPacket {
  return {
    timestampMicros: 1_700_000_000_123_456,
    hook: "input",
    inInterface: "eth0",
    direction: "original",
    verdict: "drop",
    reason: "policy",
    endpoint: "web",
    tier: "default",
    policy: "deny-all",
    rule: "ingress[2]",
    generation: 7,
    bytes,
    originalLength: bytes.length,
    ...fields,
  };
}
