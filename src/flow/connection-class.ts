/**
 * Connections of one class may be idle equally long and are equally worth
 * keeping. Classes are in the order in which they make room for new ones:
 * denied first, established TCP last. From FIRST_KEPT on both sides were
 * heard, so that nobody can fill them from forged addresses.
 *
 * Limits are conntrack's defaults, where it has them (nf_conntrack-sysctl).
 */
import { Protocol } from "../packet/protocol.ts";
import { isStream, State } from "./connection-state.ts";

export const ConnectionClass = {
  /** Denied from the start. */
  DENIED: 0,
  /** Allowed before, denied now. */
  CUT: 1,
  UNREPLIED: 2,
  OPENING: 3,
  RESET: 4,
  CLOSING: 5,
  OTHER_UNREPLIED: 6,
  ONE_SIDED: 7,
  ICMP: 8,
  UDP: 9,
  OTHER: 10,
  SCTP: 11,
  TCP: 12,
} as const;

export const CONNECTION_CLASSES = 13;
export const FIRST_KEPT = ConnectionClass.ICMP;

const DAY = 86_400;

/** Milliseconds, by class. */
export const connectionLimits: readonly number[] = [
  30, 600, 30, 120, 10, 120, 600, 5 * DAY, 30, 120, 600, 210, 5 * DAY,
].map((seconds) => seconds * 1000);

/** The class of an allowed connection. */
export function connectionClass(protocol: number, state: number): number {
  if (!isStream(protocol)) return datagramClass(protocol, state);
  switch (state) {
    case State.OPENING:
    case State.ANSWERED:
      return ConnectionClass.OPENING;
    case State.ONE_SIDED:
      return ConnectionClass.ONE_SIDED;
    case State.ESTABLISHED:
      return protocol === Protocol.TCP ? ConnectionClass.TCP : ConnectionClass.SCTP;
    case State.RESET_BY_OPENER:
    case State.RESET_BY_OTHER:
      return ConnectionClass.RESET;
    default:
      return ConnectionClass.CLOSING;
  }
}

function datagramClass(protocol: number, state: number): number {
  const replied = state === State.REPLIED;
  switch (protocol) {
    case Protocol.UDP:
    case Protocol.UDPLITE:
      return replied ? ConnectionClass.UDP : ConnectionClass.UNREPLIED;
    case Protocol.ICMP:
    case Protocol.ICMPV6:
      return replied ? ConnectionClass.ICMP : ConnectionClass.UNREPLIED;
    default:
      return replied ? ConnectionClass.OTHER : ConnectionClass.OTHER_UNREPLIED;
  }
}

/** What people are told of classes: several of them are one stage of a connection's life. */
export const connectionStages = ["denied", "opening", "closing", "established"] as const;

/** Index in connectionStages, by class. */
const STAGES: readonly number[] = [0, 0, 1, 1, 2, 2, 1, 1, 3, 3, 3, 3, 3];

/** The sum of what classes of a stage have in `values`, by class. */
export function stageSum(values: ArrayLike<number>, stage: number): number {
  return STAGES.reduce((sum, of, each) => (of === stage ? sum + values[each] : sum), 0);
}
