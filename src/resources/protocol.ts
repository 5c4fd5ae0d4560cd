/** IP protocols as policies name them (SEMANTICS 1.3); numbers from the IANA protocol registry. */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath } from "./yaml-document.ts";

export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const SCTP = 132;
const UDPLITE = 136;

const BY_NAME: ReadonlyMap<string, number> = new Map([
  ["tcp", TCP],
  ["udp", UDP],
  ["icmp", ICMP],
  ["icmpv6", ICMPV6],
  ["sctp", SCTP],
  ["udplite", UDPLITE],
]);

export const protocolSchema = z.union([z.number(), z.string()]).nullish();

/** Protocols whose ports rules can match. */
export function hasPorts(protocol: number | undefined): boolean {
  return protocol === TCP || protocol === UDP || protocol === SCTP;
}

/** 1 to 255; undefined if not given, or reported as RAMPART_E_VALUE. */
export function readProtocol(
  value: z.output<typeof protocolSchema>,
  path: ValuePath,
  context: ResourceContext,
): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === "number" ? value : protocolNumber(value);
  if (number !== undefined && Number.isInteger(number) && number >= 1 && number <= 255) return number;
  const hint = "expected TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255";
  context.error("RAMPART_E_VALUE", path, `${describe(value)} is not a protocol`, hint);
  return undefined;
}

function protocolNumber(text: string): number | undefined {
  return /^[0-9]{1,3}$/.test(text) ? Number(text) : BY_NAME.get(text.toLowerCase());
}
