/**
 * IP addresses and prefixes of the slow path (files, messages, the reference
 * evaluator). The packet path has its own 32-bit words and never comes here.
 */
import { isIPv4, isIPv6 } from "node:net";

export type Family = 4 | 6;

/** An address as an unsigned integer: 32 bits for IPv4, 128 for IPv6. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** A prefix; `value` has its host bits cleared. */
export interface Cidr {
  readonly family: Family;
  readonly value: bigint;
  readonly prefix: number;
}

export function addressBits(family: Family): number {
  return family === 4 ? 32 : 128;
}

/** Parses a textual IPv4 or IPv6 address (RFC 4291 2.2, no zone); undefined if it is none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: parseIPv4(text) };
  if (isIPv6(text) && !text.includes("%")) return { family: 6, value: parseIPv6(text) };
  return undefined;
}

export type CidrParse =
  | { readonly ok: true; readonly cidr: Cidr; readonly bare: boolean; readonly hostBits: boolean }
  | { readonly ok: false };

/**
 * Parses `address/length`, or a bare address as a host prefix. The caller
 * decides whether `bare` and `hostBits` (bits set beyond the length) are
 * acceptable where it stands.
 */
export function parseCidr(text: string): CidrParse {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return { ok: false };
  const bits = addressBits(address.family);
  if (slash < 0) return { ok: true, cidr: { ...address, prefix: bits }, bare: true, hostBits: false };
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) return { ok: false };
  const prefix = Number(length);
  if (prefix > bits) return { ok: false };
  const value = maskAddress(address.value, address.family, prefix);
  return {
    ok: true,
    cidr: { family: address.family, value, prefix },
    bare: false,
    hostBits: value !== address.value,
  };
}

export function maskAddress(value: bigint, family: Family, prefix: number): bigint {
  const hostBits = BigInt(addressBits(family) - prefix);
  return (value >> hostBits) << hostBits;
}

export function cidrContains(cidr: Cidr, address: Address): boolean {
  return cidr.family === address.family && maskAddress(address.value, cidr.family, cidr.prefix) === cidr.value;
}

/** Canonical text: dotted quad, or RFC 5952 for IPv6. */
export function formatAddress(address: Address): string {
  return address.family === 4 ? formatIPv4(address.value) : formatIPv6(address.value);
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr)}/${cidr.prefix}`;
}

function parseIPv4(text: string): bigint {
  let value = 0;
  for (const part of text.split(".")) value = value * 256 + Number(part);
  return BigInt(value);
}

function parseIPv6(text: string): bigint {
  let head = text;
  let tailGroups: bigint[] = [];
  const dot = text.indexOf(".");
  if (dot >= 0) {
    const start = text.lastIndexOf(":", dot) + 1;
    const quad = parseIPv4(text.slice(start));
    tailGroups = [quad >> 16n, quad & 0xffffn];
    head = text.slice(0, start);
    if (head.endsWith(":") && !head.endsWith("::")) head = head.slice(0, -1);
  }
  const [left, right] = head.split("::") as [string, string | undefined];
  const groups = (part: string): bigint[] => (part === "" ? [] : part.split(":").map((g) => BigInt(`0x${g}`)));
  const front = groups(left);
  const back = right === undefined ? [] : groups(right);
  const zeros = 8 - front.length - back.length - tailGroups.length;
  let value = 0n;
  for (const g of [...front, ...Array<bigint>(Math.max(0, zeros)).fill(0n), ...back, ...tailGroups]) {
    value = (value << 16n) | g;
  }
  return value;
}

function formatIPv4(value: bigint): string {
  const n = Number(value);
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
}

function formatIPv6(value: bigint): string {
  const groups: number[] = [];
  for (let i = 7n; i >= 0n; i--) groups.push(Number((value >> (i * 16n)) & 0xffffn));
  if (value >> 32n === 0xffffn) return `::ffff:${formatIPv4(value & 0xffffffffn)}`;
  // RFC 5952 4.2: the longest run of two or more zero groups, the first of equals.
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; ) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      best = i;
      bestLength = j - i;
    }
    i = j + 1;
  }
  const hex = groups.map((g) => g.toString(16));
  if (best < 0) return hex.join(":");
  return `${hex.slice(0, best).join(":")}::${hex.slice(best + bestLength).join(":")}`;
}
