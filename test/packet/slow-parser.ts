/**
 * A second parser, slow and written apart from src/packet: it slices, looks at
 * one rule after the other and says undefined to whatever it does not like.
 * It knows the whole packet only (no copy range).
 */

export interface SlowPacket {
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly source: bigint;
  readonly destination: bigint;
  readonly ports: readonly [number, number] | undefined;
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number } | undefined;
  readonly icmpError: boolean;
  readonly firstFragment: boolean;
  readonly tcpFlags: number;
  readonly headerBytes: number;
  readonly length: number;
  readonly payload: Uint8Array;
}

interface Network {
  readonly family: 4 | 6;
  readonly protocol: number;
  readonly source: bigint;
  readonly destination: bigint;
  readonly firstFragment: boolean;
  readonly headerBytes: number;
  readonly length: number;
  readonly rest: Uint8Array;
}

export function slowParse(packet: Uint8Array, etherType: number): SlowPacket | undefined {
  const network = parseNetwork(packet, etherType, false);
  return network === undefined ? undefined : parseUpper(network);
}

/** The packet quoted by an ICMP error whose payload is `packet`. */
export function slowParseQuoted(packet: Uint8Array, etherType: number): SlowPacket | undefined {
  const network = parseNetwork(packet, etherType, true);
  if (network === undefined) return undefined;
  const { protocol, rest } = network;
  const base = { ...network, tcpFlags: 0, payload: rest, ports: undefined, icmp: undefined, icmpError: false };
  if ([6, 17, 132, 136].includes(protocol)) {
    return rest.length < 8 ? undefined : { ...base, ports: [number(rest, 0, 2), number(rest, 2, 2)] };
  }
  if (isIcmp(network)) {
    const upper = parseUpper(network);
    return upper === undefined || upper.icmpError ? undefined : upper;
  }
  return base;
}

function number(bytes: Uint8Array, at: number, count: number): number {
  return Number(big(bytes, at, count));
}

function big(bytes: Uint8Array, at: number, count: number): bigint {
  return [...bytes.subarray(at, at + count)].reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function parseNetwork(packet: Uint8Array, etherType: number, quoted: boolean): Network | undefined {
  if (etherType === 0x0800) return parseIPv4(packet, quoted);
  if (etherType === 0x86dd) return parseIPv6(packet, quoted);
  return undefined;
}

function parseIPv4(packet: Uint8Array, quoted: boolean): Network | undefined {
  if (packet.length < 20 || Math.floor(packet[0] / 16) !== 4) return undefined;
  const headerBytes = (packet[0] % 16) * 4;
  const protocol = packet[9];
  let length = number(packet, 2, 2);
  if (length === 0 && protocol === 6 && (quoted || packet.length > 65535)) length = packet.length;
  if (headerBytes < 20 || headerBytes > packet.length || length < headerBytes) return undefined;
  if (length > packet.length && !quoted) return undefined;
  length = Math.min(length, packet.length);
  const flags = number(packet, 6, 2);
  if (flags % 0x2000 !== 0) return undefined;
  return {
    family: 4,
    protocol,
    source: big(packet, 12, 4),
    destination: big(packet, 16, 4),
    firstFragment: Math.floor(flags / 0x2000) % 2 === 1,
    headerBytes,
    length,
    rest: packet.subarray(headerBytes, length),
  };
}

/** Extension headers in the only order they may come, each optional (RFC 8200 4.1). */
const ORDER = [0, 60, 43, 44, 51, 60];

function parseIPv6(packet: Uint8Array, quoted: boolean): Network | undefined {
  if (packet.length < 40 || Math.floor(packet[0] / 16) !== 6) return undefined;
  let length = 40 + number(packet, 4, 2);
  const big64k = length === 40 && packet.length > 65575 && !quoted;
  if (length === 40 && (quoted || big64k)) length = packet.length;
  if (length > packet.length && !quoted) return undefined;
  length = Math.min(length, packet.length);
  let firstFragment = false;
  let jumboSeen = false;
  let protocol = packet[6];
  let at = 40;
  let stage = 0;
  while (ORDER.includes(protocol)) {
    while (stage < ORDER.length && ORDER[stage] !== protocol) stage++;
    if (stage === ORDER.length) return undefined;
    stage++;
    if (at + 8 > length) return undefined;
    const size = protocol === 44 ? 8 : protocol === 51 ? packet[at + 1] * 4 + 8 : packet[at + 1] * 8 + 8;
    if (at + size > length || at + size > 296) return undefined;
    const header = packet.subarray(at, at + size);
    if (protocol === 0 && big64k) {
      const jumbo = jumboLength(header);
      if (jumbo === undefined || jumbo <= 65535 || jumbo + 40 > packet.length) return undefined;
      length = jumbo + 40;
      jumboSeen = true;
    }
    if (protocol === 43 && header[2] === 0 && header[3] > 0) return undefined;
    if (protocol === 51 && size < 12) return undefined;
    if (protocol === 44) {
      const field = number(header, 2, 2);
      if (Math.floor(field / 8) !== 0) return undefined;
      firstFragment = field % 2 === 1;
    }
    protocol = header[0];
    at += size;
  }
  if (big64k && !jumboSeen && protocol !== 6) return undefined;
  return {
    family: 6,
    protocol,
    source: big(packet, 8, 16),
    destination: big(packet, 24, 16),
    firstFragment,
    headerBytes: at,
    length,
    rest: packet.subarray(at, length),
  };
}

function jumboLength(header: Uint8Array): number | undefined {
  for (let at = 2; at < header.length; ) {
    if (header[at] === 0) {
      at++;
      continue;
    }
    if (at + 2 > header.length || at + 2 + header[at + 1] > header.length) return undefined;
    if (header[at] === 0xc2) return header[at + 1] === 4 ? number(header, at + 2, 4) : undefined;
    at += 2 + header[at + 1];
  }
  return undefined;
}

function isIcmp(network: Network): boolean {
  return network.family === 4 ? network.protocol === 1 : network.protocol === 58;
}

function parseUpper(network: Network): SlowPacket | undefined {
  const { protocol, rest, family } = network;
  const none = { ...network, ports: undefined, icmp: undefined, icmpError: false, tcpFlags: 0, payload: rest };
  if (isIcmp(network)) {
    if (rest.length < 8) return undefined;
    const queries = family === 4 ? [0, 8, 13, 14, 15, 16, 17, 18] : [128, 129];
    const type = rest[0];
    return {
      ...none,
      icmp: { type, code: rest[1], id: queries.includes(type) ? number(rest, 4, 2) : 0 },
      icmpError: family === 4 ? [3, 4, 5, 11, 12].includes(type) : type < 128,
      payload: rest.subarray(8),
    };
  }
  const minimum = new Map([[6, 20], [17, 8], [136, 8], [132, 12]]).get(protocol);
  if (minimum === undefined) return none;
  if (rest.length < minimum) return undefined;
  let header = minimum;
  let tcpFlags = 0;
  if (protocol === 6) {
    header = Math.floor(rest[12] / 16) * 4;
    if (header < 20 || header > rest.length) return undefined;
    tcpFlags = rest[13];
    const bit = (value: number): boolean => Math.floor(tcpFlags / value) % 2 === 1;
    const [fin, syn, rst, ack] = [bit(1), bit(2), bit(4), bit(16)];
    if ([fin, syn, rst].filter(Boolean).length > 1) return undefined;
    if (!syn && !rst && !ack) return undefined;
  }
  if (protocol === 17 || protocol === 136) {
    const field = number(rest, 4, 2);
    if (field < 8 && !(protocol === 136 && field === 0)) return undefined;
    if (field > rest.length && !network.firstFragment) return undefined;
  }
  return { ...none, ports: [number(rest, 0, 2), number(rest, 2, 2)], tcpFlags, payload: rest.subarray(header) };
}
