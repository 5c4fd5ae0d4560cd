/**
 * How long a flow may be idle, by protocol, near conntrack's own defaults. A
 * flow forgotten too early costs one more decision, never a connection; TCP is
 * therefore far below conntrack's five days.
 */
import { Protocol } from "../packet/protocol.ts";

/** A class shares one limit; the table keeps one list in order of use for each. */
export const IDLE_CLASSES = 4;

const TCP = 0;
const UDP = 1;
const ICMP = 2;
const OTHER = 3;

/** Milliseconds, by class. */
export const idleLimits: readonly number[] = [3_600_000, 120_000, 30_000, 600_000];

/** The class of an IP protocol number, 0 to IDLE_CLASSES - 1. */
export function idleClass(protocol: number): number {
  switch (protocol) {
    case Protocol.TCP:
      return TCP;
    case Protocol.UDP:
    case Protocol.UDPLITE:
      return UDP;
    case Protocol.ICMP:
    case Protocol.ICMPV6:
      return ICMP;
    default:
      return OTHER;
  }
}
