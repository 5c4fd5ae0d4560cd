/**
 * A question about one connection, checked: who to whom, and what kind of
 * packet begins it. Names in it are not looked up yet.
 */
import type { Family } from "../address/address.ts";
import { RampartError } from "../errors/rampart-error.ts";

export interface Question {
  readonly from: string;
  readonly to: string;
  /** IP protocol number. */
  readonly protocol: number;
  /** A name stands for a port that the destination declares; undefined exactly for protocols without ports. */
  readonly port: number | string | undefined;
  readonly sourcePort: number;
  readonly icmpType: number | undefined;
  readonly icmpCode: number;
  /** undefined: the family both ends have, IPv4 if they have both. */
  readonly family: Family | undefined;
}

/** Numbers may be given as text. */
export interface QuestionSource {
  readonly from?: unknown;
  readonly to?: unknown;
  readonly protocol?: unknown;
  readonly port?: unknown;
  readonly sport?: unknown;
  readonly icmpType?: unknown;
  readonly icmpCode?: unknown;
  readonly family?: unknown;
}

export const QUESTION_FIELDS = ["from", "to", "protocol", "port", "sport", "icmpType", "icmpCode", "family"] as const;

const ICMP = 1;
const ICMPV6 = 58;
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 132, 136]);

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ["tcp", 6],
  ["udp", 17],
  ["sctp", 132],
  ["udplite", 136],
  ["icmp", ICMP],
  ["icmpv6", ICMPV6],
]);

/** What a client's system would choose: the first of the dynamic ports. */
export const DEFAULT_SOURCE_PORT = 49_152;

export function protocolName(protocol: number): string {
  return [...PROTOCOLS].find(([, number]) => number === protocol)?.[0] ?? `protocol ${protocol}`;
}

/** @throws RampartError RAMPART_E_QUESTION */
export function readQuestion(source: QuestionSource): Question {
  const protocol = readProtocol(source.protocol);
  const withPorts = WITH_PORTS.has(protocol);
  const isIcmp = protocol === ICMP || protocol === ICMPV6;
  if (!withPorts && given(source.port)) refuse(`port: ${protocolName(protocol)} has no ports`, "leave port out");
  if (!withPorts && given(source.sport)) refuse(`sport: ${protocolName(protocol)} has no ports`, "leave sport out");
  if (!isIcmp && (given(source.icmpType) || given(source.icmpCode))) {
    refuse("icmpType and icmpCode are for protocols icmp and icmpv6", "leave them out, or ask about icmp");
  }
  return {
    from: readEnd(source.from, "from"),
    to: readEnd(source.to, "to"),
    protocol,
    port: withPorts ? readPort(source.port) : undefined,
    sourcePort: readNumber(source.sport, "sport", 0, 65_535) ?? DEFAULT_SOURCE_PORT,
    icmpType: isIcmp ? (readNumber(source.icmpType, "icmpType", 0, 255) ?? echoRequest(protocol)) : undefined,
    icmpCode: readNumber(source.icmpCode, "icmpCode", 0, 255) ?? 0,
    family: readFamily(source.family, protocol),
  };
}

function readEnd(value: unknown, name: "from" | "to"): string {
  if (typeof value === "string" && value !== "") return value;
  return refuse(`${name}: not given`, "write namespace/pod, the name of a HostEndpoint, or an address");
}

function readProtocol(value: unknown): number {
  const known = typeof value === "string" ? PROTOCOLS.get(value.toLowerCase()) : undefined;
  if (known !== undefined) return known;
  const hint = "tcp, udp, sctp, udplite, icmp, icmpv6 or a number from 1 to 255";
  if (!given(value)) return refuse("protocol: not given", hint);
  const number = wholeNumber(value);
  if (number === undefined || number < 1 || number > 255) return refuse(`protocol: ${shown(value)} is none`, hint);
  return number;
}

function readPort(value: unknown): number | string {
  const hint = "a number from 1 to 65535, or the name of a port of the destination";
  if (!given(value)) return refuse("port: not given", hint);
  const isNumber = typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value));
  if (isNumber) return readNumber(value, "port", 1, 65_535) as number;
  if (typeof value === "string" && /^[A-Za-z0-9_.-]{1,128}$/.test(value)) return value;
  return refuse(`port: ${shown(value)} is no port`, hint);
}

function readFamily(value: unknown, protocol: number): Family | undefined {
  const implied = protocol === ICMP ? 4 : protocol === ICMPV6 ? 6 : undefined;
  if (!given(value)) return implied;
  const number = wholeNumber(value);
  if (number !== 4 && number !== 6) return refuse(`family: ${shown(value)} is none`, "4 or 6");
  if (implied !== undefined && number !== implied) {
    return refuse(`family: ${protocolName(protocol)} is IPv${implied}`, "icmp is for IPv4, icmpv6 for IPv6");
  }
  return number;
}

function readNumber(value: unknown, name: string, least: number, most: number): number | undefined {
  if (!given(value)) return undefined;
  const number = wholeNumber(value);
  if (number !== undefined && number >= least && number <= most) return number;
  return refuse(`${name}: ${shown(value)} is out of range`, `a whole number from ${least} to ${most}`);
}

function wholeNumber(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? value : undefined;
  return typeof value === "string" && /^\d{1,6}$/.test(value) ? Number(value) : undefined;
}

function echoRequest(protocol: number): number {
  return protocol === ICMP ? 8 : 128;
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

function refuse(message: string, hint: string): never {
  throw new RampartError("RAMPART_E_QUESTION", message, { hint });
}
