/**
 * What makes two packets one flow: family, protocol, both addresses, ports or
 * ICMP type, code and identifier, and the caller's scope. Direction counts: a
 * reply is looked up after `reverse`. A key is FLOW_WORDS 32-bit words; of IPv4
 * only the first IPV4_FLOW_WORDS are written and say anything.
 */
import type { PacketView } from "../packet/view.ts";

export const FLOW_WORDS = 11;
export const IPV4_FLOW_WORDS = 5;

const ENDS = 0;
const PROTOCOL = 1;
const SCOPE = 2;
const SOURCE_LOW = 3;
const DESTINATION_LOW = 4;
const SOURCE_REST = 5;
const DESTINATION_REST = 8;

/** Writes the key of `view` in `scope` (unsigned 32-bit) to the front of `key`; returns how many words it has. */
export function writeFlowKey(key: Uint32Array, view: PacketView, scope: number): number {
  const words = view.words;
  key[ENDS] =
    view.hasIcmp === 1
      ? (view.icmpId << 16) | (view.icmpType << 8) | view.icmpCode
      : (view.sourcePort << 16) | view.destinationPort;
  // Whether ports or ICMP were read is part of the key: zeros that were not read equal no real ones.
  key[PROTOCOL] = (view.hasPorts << 17) | (view.hasIcmp << 16) | (view.family << 8) | view.protocol;
  key[SCOPE] = scope;
  key[SOURCE_LOW] = words[3];
  key[DESTINATION_LOW] = words[7];
  if (view.family === 4) return IPV4_FLOW_WORDS;
  key[SOURCE_REST] = words[0];
  key[SOURCE_REST + 1] = words[1];
  key[SOURCE_REST + 2] = words[2];
  key[DESTINATION_REST] = words[4];
  key[DESTINATION_REST + 1] = words[5];
  key[DESTINATION_REST + 2] = words[6];
  return FLOW_WORDS;
}

/** 4 or 6, of a key whose first word is words[at]. */
export function familyOfKey(words: Uint32Array, at: number): number {
  return (words[at + PROTOCOL] >>> 8) & 0xff;
}

/** The IP protocol number of a key whose first word is words[at]. */
export function protocolOfKey(words: Uint32Array, at: number): number {
  return words[at + PROTOCOL] & 0xff;
}
