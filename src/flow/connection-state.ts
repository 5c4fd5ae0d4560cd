/**
 * The life of a connection as userspace tracks it, near to what conntrack does
 * (nf_conntrack_proto_tcp.c and its neighbours, documented by their sysctls).
 * Sequence numbers are not followed. TCP and SCTP share one life: INIT opens as
 * SYN does, SHUTDOWN ends as FIN does, ABORT cuts as RST does (RFC 9260).
 */
import { Protocol } from "../packet/protocol.ts";
import type { PacketView } from "../packet/view.ts";

/** What a packet does to its connection. DATA is all that neither opens nor ends. */
export const Segment = { DATA: 0, OPEN: 1, OPEN_ACK: 2, END: 3, RESET: 4, PROBE: 5 } as const;

export const State = {
  /** No answer yet; not TCP or SCTP. */
  UNREPLIED: 0,
  REPLIED: 1,
  OPENING: 2,
  ANSWERED: 3,
  /** The opener goes on, or it was picked up in mid-stream; the other side was not heard. */
  ONE_SIDED: 4,
  ESTABLISHED: 5,
  /** Ended by the side that opened it, by the other side, by both. */
  ENDED_BY_OPENER: 6,
  ENDED_BY_OTHER: 7,
  ENDED: 8,
  /** Reset by the side that opened it, by the other side. */
  RESET_BY_OPENER: 9,
  RESET_BY_OTHER: 10,
} as const;

/** What `nextState` says of a packet that cannot belong to the connection in that state. */
export const IMPOSSIBLE = -1;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

const SCTP_CHUNK = { INIT: 1, INIT_ACK: 2, HEARTBEAT: 4, ABORT: 6, SHUTDOWN: 7, SHUTDOWN_ACK: 8, COMPLETE: 14 } as const;

/** TCP and SCTP: what has to be opened before it can go on. */
export function isStream(protocol: number): boolean {
  return protocol === Protocol.TCP || protocol === Protocol.SCTP;
}

/** What the decoded packet at bytes[offset ..], of which `length` bytes are there, does to its connection. */
export function segmentOf(view: PacketView, bytes: Uint8Array, offset: number, length: number): number {
  if (view.protocol === Protocol.TCP) {
    const flags = view.tcpFlags;
    if ((flags & RST) !== 0) return Segment.RESET;
    if ((flags & SYN) !== 0) return (flags & ACK) !== 0 ? Segment.OPEN_ACK : Segment.OPEN;
    return (flags & FIN) !== 0 ? Segment.END : Segment.DATA;
  }
  if (view.protocol !== Protocol.SCTP || view.payloadOffset >= length || view.payloadOffset >= view.packetLength) {
    return Segment.DATA;
  }
  switch (bytes[offset + view.payloadOffset]) {
    case SCTP_CHUNK.INIT:
      return Segment.OPEN;
    case SCTP_CHUNK.INIT_ACK:
      return Segment.OPEN_ACK;
    case SCTP_CHUNK.HEARTBEAT:
      return Segment.PROBE;
    case SCTP_CHUNK.SHUTDOWN:
    case SCTP_CHUNK.SHUTDOWN_ACK:
      return Segment.END;
    case SCTP_CHUNK.ABORT:
    case SCTP_CHUNK.COMPLETE:
      return Segment.RESET;
    default:
      return Segment.DATA;
  }
}

/** Whether the packet may be the first of a connection; a heartbeat opens another path of an association. */
export function opens(protocol: number, segment: number): boolean {
  return !isStream(protocol) || segment === Segment.OPEN || segment === Segment.PROBE;
}

/** Of a connection that begins with this packet. */
export function firstState(protocol: number, segment: number): number {
  if (!isStream(protocol)) return State.UNREPLIED;
  return opens(protocol, segment) ? State.OPENING : State.ONE_SIDED;
}

/** Whether the connection is over, so that an opening packet of either direction begins another one. */
export function isOver(state: number): boolean {
  return state >= State.ENDED;
}

/** The state after a packet of the original direction (`reply` 0) or the other one (1); IMPOSSIBLE: not of this connection. */
export function nextState(protocol: number, state: number, segment: number, reply: number): number {
  if (!isStream(protocol)) return reply === 1 ? State.REPLIED : state;
  switch (segment) {
    case Segment.RESET:
      return reply === 1 ? State.RESET_BY_OTHER : State.RESET_BY_OPENER;
    case Segment.OPEN:
      // Both may open at once; later the answering side has nothing to open.
      return reply === 1 && state !== State.OPENING ? IMPOSSIBLE : state;
    case Segment.OPEN_ACK:
      return reply === 1 && (state === State.OPENING || state === State.ONE_SIDED) ? State.ANSWERED : state;
    case Segment.END:
      return ended(state, reply);
    default:
      return continued(state, reply);
  }
}

function ended(state: number, reply: number): number {
  if (state >= State.ENDED || state === State.OPENING) return state;
  if (reply === 1) return state === State.ENDED_BY_OPENER ? State.ENDED : State.ENDED_BY_OTHER;
  return state === State.ENDED_BY_OTHER ? State.ENDED : State.ENDED_BY_OPENER;
}

function continued(state: number, reply: number): number {
  switch (state) {
    case State.OPENING:
      return reply === 1 ? state : State.ONE_SIDED;
    case State.ANSWERED:
      return reply === 1 ? state : State.ESTABLISHED;
    case State.ONE_SIDED:
      return reply === 1 ? State.ESTABLISHED : state;
    // Who resets and then goes on has not reset: somebody else sent that.
    case State.RESET_BY_OPENER:
      return reply === 1 ? state : State.ESTABLISHED;
    case State.RESET_BY_OTHER:
      return reply === 1 ? State.ESTABLISHED : state;
    default:
      return state;
  }
}
