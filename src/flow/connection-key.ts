/**
 * What makes two packets one connection, whichever way they travel: family,
 * protocol, the two ends, and a domain. The two ends are put in one order, so
 * that one lookup finds a connection from either direction, and the order the
 * packet had them in tells its direction. ICMP queries put the end that asks
 * first, because two ends may ask each other with the same identifier.
 *
 * A key is CONNECTION_WORDS 32-bit words; of IPv4 only the first
 * IPV4_CONNECTION_WORDS say anything, the others are 0.
 */
import { icmpCounterpart } from "../packet/icmp.ts";
import { icmpv6Counterpart } from "../packet/icmpv6.ts";
import type { PacketView } from "../packet/view.ts";

export const CONNECTION_WORDS = 10;
export const IPV4_CONNECTION_WORDS = 4;

/**
 * Where a connection was seen. The two halves of a policed loopback are
 * connections of their own: each is judged by its own hook's policy.
 */
export const Domain = { LOCAL: 0, FORWARD: 1, LOOPBACK_OUT: 2, LOOPBACK_IN: 3 } as const;

const PORTS = 0;
const PROTOCOL = 1;
const FIRST_LOW = 2;
const SECOND_LOW = 3;
const REST = 4;

const NO_ORDER = 0;
const ASKS = 1;
const ANSWERS = 2;

/** Writes the key of `view` in `domain` to `key`; returns 1 when its source is the key's second end, else 0. */
export function writeConnectionKey(key: Uint32Array, view: PacketView, domain: number): number {
  const words = view.words;
  let turned: number;
  if (view.hasIcmp === 1) {
    const part = icmpPart(view);
    turned = part === ANSWERS ? 1 : 0;
    key[PORTS] = (view.icmpId << 16) | ((part === ANSWERS ? counterpart(view) : view.icmpType) << 8) | view.icmpCode;
  } else {
    turned = sourceIsHigher(view) ? 1 : 0;
    key[PORTS] =
      turned === 0
        ? (view.sourcePort << 16) | view.destinationPort
        : (view.destinationPort << 16) | view.sourcePort;
  }
  // Whether ports or ICMP were read is part of the key: zeros that were not read equal no real ones.
  key[PROTOCOL] =
    (domain << 20) | (view.hasPorts << 17) | (view.hasIcmp << 16) | (view.family << 8) | view.protocol;
  const first = turned * 4;
  const second = 4 - first;
  key[FIRST_LOW] = words[first + 3];
  key[SECOND_LOW] = words[second + 3];
  for (let i = 0; i < 3; i++) {
    key[REST + i] = words[first + i];
    key[REST + 3 + i] = words[second + i];
  }
  return turned;
}

/**
 * The other way round: fills `view` with the direction of the key at keys[at ..] whose source is the first end
 * (`orientation` 0) or the second (1), and returns the domain. Of an ICMP query the first end is the one that asks.
 */
export function readConnectionKey(keys: Uint32Array, at: number, orientation: number, view: PacketView): number {
  view.clear();
  const about = keys[at + PROTOCOL];
  view.protocol = about & 0xff;
  view.family = (about >>> 8) & 0xff;
  view.hasIcmp = (about >>> 16) & 1;
  view.hasPorts = (about >>> 17) & 1;
  const ports = keys[at + PORTS];
  if (view.hasIcmp === 1) {
    view.icmpId = ports >>> 16;
    view.icmpType = (ports >>> 8) & 0xff;
    view.icmpCode = ports & 0xff;
    if (orientation === 1) view.icmpType = counterpart(view);
  } else {
    view.sourcePort = orientation === 0 ? ports >>> 16 : ports & 0xffff;
    view.destinationPort = orientation === 0 ? ports & 0xffff : ports >>> 16;
  }
  const first = orientation * 4;
  const second = 4 - first;
  view.words[first + 3] = keys[at + FIRST_LOW];
  view.words[second + 3] = keys[at + SECOND_LOW];
  // Words that a key of IPv4 does not use may hold what was in the slot before.
  if (view.family === 6) {
    for (let i = 0; i < 3; i++) {
      view.words[first + i] = keys[at + REST + i];
      view.words[second + i] = keys[at + REST + 3 + i];
    }
  }
  return about >>> 20;
}

/** Words of the view's key that tell it from others of its family. */
export function connectionKeyLength(view: PacketView): number {
  return view.family === 4 ? IPV4_CONNECTION_WORDS : CONNECTION_WORDS;
}

/** The same of a key that was written. */
export function writtenKeyLength(key: Uint32Array): number {
  return ((key[PROTOCOL] >>> 8) & 0xff) === 4 ? IPV4_CONNECTION_WORDS : CONNECTION_WORDS;
}

/** Whether the view is an ICMP message that asks for an answer. */
export function isIcmpQuery(view: PacketView): boolean {
  return view.hasIcmp === 1 && icmpPart(view) === ASKS;
}

/** Whether the view is an ICMP message that answers a query. */
export function isIcmpAnswer(view: PacketView): boolean {
  return view.hasIcmp === 1 && icmpPart(view) === ANSWERS;
}

function icmpPart(view: PacketView): number {
  const type = view.icmpType;
  const other = counterpart(view);
  if (other === type) return NO_ORDER;
  if (view.family === 6) return type < other ? ASKS : ANSWERS;
  // Echo alone has its reply (0) below its request (8).
  return type === 8 || (type !== 0 && type < other) ? ASKS : ANSWERS;
}

function counterpart(view: PacketView): number {
  return view.family === 4 ? icmpCounterpart(view.icmpType) : icmpv6Counterpart(view.icmpType);
}

function sourceIsHigher(view: PacketView): boolean {
  const words = view.words;
  for (let i = 0; i < 4; i++) {
    if (words[i] !== words[i + 4]) return words[i] > words[i + 4];
  }
  return view.sourcePort > view.destinationPort;
}
