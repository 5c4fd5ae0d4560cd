/** A connection of the kernel's as the tables are asked about it: the original direction of a conntrack entry. */
import type { ConntrackBatch } from "../native/binding.ts";
import { Protocol } from "../packet/protocol.ts";
import type { PacketView } from "../packet/view.ts";

/** Bits of enum ip_conntrack_status: the tuple was or is to be translated. */
const NAT_STATUS = (1 << 4) | (1 << 5);

/** Entry i's packets have other addresses in some hooks than in its original tuple. */
export function isTranslated(batch: ConntrackBatch, i: number): boolean {
  return (batch.status[i] & NAT_STATUS) !== 0;
}

/** LAST_ACK, TIME_WAIT, CLOSE of enum tcp_conntrack. */
const CLOSED_FROM = 6;
const CLOSED_TO = 8;

/** Of a TCP connection that has ended and is remembered for late packets. */
export function isOver(batch: ConntrackBatch, i: number): boolean {
  return batch.tcpState[i] >= CLOSED_FROM && batch.tcpState[i] <= CLOSED_TO;
}

/** Fills `view` with entry i's original tuple. */
export function loadConntrackEntry(view: PacketView, batch: ConntrackBatch, i: number): void {
  view.clear();
  view.family = batch.family[i];
  view.protocol = batch.protocol[i];
  loadAddress(view.words, 0, batch.source, i, view.family);
  loadAddress(view.words, 4, batch.destination, i, view.family);
  switch (view.protocol) {
    case Protocol.TCP:
    case Protocol.UDP:
    case Protocol.UDPLITE:
    case Protocol.SCTP:
      view.hasPorts = 1;
      view.sourcePort = batch.sourcePort[i];
      view.destinationPort = batch.destinationPort[i];
      break;
    case Protocol.ICMP:
    case Protocol.ICMPV6:
      view.hasIcmp = 1;
      view.icmpType = batch.icmpType[i];
      view.icmpCode = batch.icmpCode[i];
      view.icmpId = batch.icmpId[i];
      break;
  }
}

/** The address in words[word .. word + 4) of the view as a number, as the sets have it. */
export function addressValue({ words, family }: PacketView, word: 0 | 4): bigint {
  if (family === 4) return BigInt(words[word + 3]);
  let value = 0n;
  for (let w = word; w < word + 4; w++) value = (value << 32n) | BigInt(words[w]);
  return value;
}

/** As `addressValue`, with the family: a key for maps. */
export function addressKey(view: PacketView, word: 0 | 4): string {
  return `${view.family}:${addressValue(view, word)}`;
}

/** Entry i's 16 bytes, network order, an IPv4 address in the first four. */
function loadAddress(words: Uint32Array, at: number, bytes: Uint8Array, i: number, family: number): void {
  const word = (offset: number): number =>
    ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;
  if (family === 4) words[at + 3] = word(i * 16);
  else for (let w = 0; w < 4; w++) words[at + w] = word(i * 16 + w * 4);
}
