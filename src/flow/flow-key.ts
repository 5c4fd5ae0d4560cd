/**
 * What makes two packets one flow: family, protocol, both addresses, ports or
 * ICMP type, code and identifier, and the caller's scope. Direction counts: a
 * reply is looked up after `reverse`. A key is KEY_WORDS 32-bit words.
 */
import type { PacketView } from "../packet/view.ts";

export const KEY_WORDS = 11;

const ENDS = 8;
const PROTOCOL = 9;
const SCOPE = 10;

/** Writes the key of `view` in `scope` (unsigned 32-bit) to key[0 .. KEY_WORDS). */
export function writeFlowKey(key: Uint32Array, view: PacketView, scope: number): void {
  const words = view.words;
  key[0] = words[0];
  key[1] = words[1];
  key[2] = words[2];
  key[3] = words[3];
  key[4] = words[4];
  key[5] = words[5];
  key[6] = words[6];
  key[7] = words[7];
  key[ENDS] =
    view.hasIcmp === 1
      ? (view.icmpId << 16) | (view.icmpType << 8) | view.icmpCode
      : (view.sourcePort << 16) | view.destinationPort;
  // Whether ports or ICMP were read is part of the key: zeros that were not read equal no real ones.
  key[PROTOCOL] = (view.hasPorts << 17) | (view.hasIcmp << 16) | (view.family << 8) | view.protocol;
  key[SCOPE] = scope;
}
