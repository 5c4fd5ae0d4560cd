/**
 * Decides packets of the filter hooks without the kernel's connection tracking
 * (`datapath.offload: none`). Every packet comes here; one of a connection that
 * is allowed under this epoch costs one lookup, in both directions.
 *
 * What must always hold: only an allowed connection makes a packet a reply; a
 * connection that was allowed is judged by its original direction, also when
 * it is denied by now, until it is forgotten; TCP and SCTP that nobody has seen
 * begin are dropped, except while `adoptOlder`. Allocates nothing.
 */
import { connectionClass, ConnectionClass, FIRST_KEPT } from "../flow/connection-class.ts";
import { Domain, isIcmpAnswer, isIcmpQuery } from "../flow/connection-key.ts";
import { firstState, IMPOSSIBLE, isOver, nextState, opens, Segment } from "../flow/connection-state.ts";
import { ConnectionReader } from "../flow/connection-reader.ts";
import { ConnectionTable } from "../flow/connection-table.ts";
import { reverse } from "../packet/reverse.ts";
import type { PacketView } from "../packet/view.ts";
import { counterStep, domainOf, otherDomain } from "./connection-domain.ts";
import { decisionReason, decisionVerdict, OutcomeReasonIndex, OutcomeVerdict, packDecision } from "./outcome.ts";
import { type PacketWalk, WalkStep } from "./packet-walk.ts";

const NONE = -1;

/** Blocks of allocateConnections: this worker's own, and those of the other workers. */
export interface ConnectionMemory {
  readonly own: SharedArrayBuffer;
  readonly others: readonly SharedArrayBuffer[];
}

/** A connection's origin: its WalkStep, and whether its first packet had been accepted before this hook. */
const STEP_BITS = 7;
const ACCEPTED = 8;

export class ConnectionTracker {
  readonly table: ConnectionTable;
  /** Whether connections may be older than this table, so that they are picked up in mid-stream. */
  adoptOlder = false;
  /** Whether a connection that both sides have spoken on is spared another judgement. Set once, before any packet. */
  keepEstablished = false;
  /** Tables in force; set before the first packet. */
  walk!: PacketWalk;
  /** Changes whenever a decision might. */
  epoch = 0;
  /** Milliseconds of a clock that never goes back. */
  clock = 0;

  // The outcome of the last packet.
  verdict = 0;
  reason = 0;
  rule = NONE;
  endpoint = NONE;
  /** 1 when it goes against its connection's original direction. */
  reply = 0;

  /** An ICMP error may come to another worker than the packets it is about. */
  readonly #others: readonly ConnectionReader[];

  constructor({ own, others }: ConnectionMemory) {
    this.table = new ConnectionTable(own);
    this.#others = others.map((memory) => new ConnectionReader(memory));
  }

  /**
   * Judges a packet that is no ICMP error, at a step of the original direction; `segment` as segmentOf says; `from`
   * and `to` are its interfaces. True when the outcome is new: then `view` is left in the original direction.
   */
  packet(view: PacketView, segment: number, step: number, from: number, to: number, accepted: boolean): boolean {
    this.reply = 0;
    this.rule = NONE;
    this.endpoint = NONE;
    if (view.hasIcmp === 1 && !isIcmpQuery(view) && !isIcmpAnswer(view)) {
      return isLinkMessage(view) ? this.#judgeAlone(view, step, from, to, accepted) : this.#refuse();
    }
    const { table } = this;
    const domain = domainOf(step, from, to);
    const slot = table.lookup(view, domain);
    if (slot < 0) {
      if (segment === Segment.RESET && this.#refuses(view, domain)) return false;
      return this.#begin(slot, view, segment, step, from, to, accepted);
    }
    const reply = table.isReply(slot);
    if (table.class[slot] === ConnectionClass.DENIED) {
      if (reply === 0 && this.#isSame(slot, originOf(step, accepted), from, to)) {
        table.use(slot, ConnectionClass.DENIED, this.clock);
        this.#recall(slot);
        return false;
      }
      if (reply === 1 && segment === Segment.RESET && this.#refused(slot)) return false;
      return this.#begin(slot, view, segment, step, from, to, accepted);
    }
    const { protocol } = view;
    const state = table.state[slot];
    const cut = table.class[slot] === ConnectionClass.CUT;
    if (segment === Segment.OPEN && (cut || isOver(state))) {
      return this.#begin(slot, view, segment, step, from, to, accepted);
    }
    this.reply = reply;
    const next = nextState(protocol, state, segment, reply);
    if (next === IMPOSSIBLE) return this.#refuse();
    if (cut && segment === Segment.RESET && this.#refused(slot)) return false;
    if (!this.#isCurrent(slot)) {
      if (reply === 0) return this.#judgeAgain(slot, view, next, from, to, accepted, false);
      reverse(view);
      return this.#judgeAgain(slot, view, next, to, from, false, true);
    }
    if (cut) table.use(slot, ConnectionClass.CUT, this.clock);
    else {
      table.state[slot] = next;
      table.use(slot, connectionClass(protocol, next), this.clock);
    }
    this.#recall(slot);
    return false;
  }

  /**
   * Judges an ICMP error at a step by the packet it quotes. It passes when that packet's connection is allowed, or
   * when it is a failsafe connection, which the kernel lets pass by itself.
   */
  icmpError(quoted: PacketView, step: number, from: number, to: number): boolean {
    this.reply = 0;
    this.rule = NONE;
    this.endpoint = NONE;
    const { table } = this;
    const domain = domainOf(step, from, to);
    let slot = table.lookup(quoted, domain);
    if (slot < 0) slot = table.lookup(quoted, otherDomain(domain));
    if (slot < 0) {
      if (this.#isKnownElsewhere(quoted, domain)) return true;
      return this.#isFailsafe(quoted, step, from, to) ? false : this.#refuse();
    }
    const back = table.isReply(slot);
    this.reply = back ^ 1;
    if (table.class[slot] <= ConnectionClass.CUT && domain >= Domain.LOOPBACK_OUT && this.#refused(slot)) return false;
    if (table.class[slot] === ConnectionClass.DENIED) return this.#refuse();
    if (this.#isCurrent(slot)) {
      this.#recall(slot);
      return false;
    }
    if (back === 1) reverse(quoted);
    return this.#judgeAgain(slot, quoted, table.state[slot], table.from[slot], table.to[slot], false, true);
  }

  /** A packet of no connection that can be gone on with: the first of one, or nothing. `slot` is to be taken over. */
  #begin(
    slot: number,
    view: PacketView,
    segment: number,
    step: number,
    from: number,
    to: number,
    accepted: boolean,
  ): boolean {
    if (isIcmpAnswer(view)) return this.#refuse();
    const older = !opens(view.protocol, segment);
    if (older && (!this.adoptOlder || segment === Segment.RESET)) return this.#refuse();
    const { walk } = this;
    walk.walk(step, view, from, to, accepted, false);
    this.#take();
    if (walk.unknownInterface !== 0) return true;
    if (!this.#denies()) {
      this.#remember(slot, view, segment, 0, originOf(step, accepted), from, to);
      return this.reason !== OutcomeReasonIndex.NO_ENDPOINT;
    }
    // Nobody knows which side opened it, so the other direction may answer for it.
    if (older && this.#adoptedAsReply(slot, view, segment, step, from, to)) return true;
    this.#remember(slot, view, segment, 0, originOf(step, accepted), from, to);
    return true;
  }

  #adoptedAsReply(slot: number, view: PacketView, segment: number, step: number, from: number, to: number): boolean {
    const { walk } = this;
    const original = counterStep(step);
    reverse(view);
    walk.walk(original, view, to, from, false, true);
    if (walk.verdict !== OutcomeVerdict.ACCEPT && walk.verdict !== OutcomeVerdict.RETURN) {
      reverse(view);
      return false;
    }
    this.#take();
    this.reply = 1;
    this.#remember(slot, view, segment, 1, originOf(original, false), to, from);
    return true;
  }

  #remember(
    slot: number,
    view: PacketView,
    segment: number,
    reply: number,
    origin: number,
    from: number,
    to: number,
  ): void {
    const { table } = this;
    const { protocol } = view;
    const state = firstState(protocol, segment);
    const denied = this.#denies();
    // What went on before this table knew it was a connection, and is one that is cut.
    const refused = opens(protocol, segment) ? ConnectionClass.DENIED : ConnectionClass.CUT;
    const of = denied ? refused : connectionClass(protocol, state);
    let at = slot;
    if (at >= 0) table.use(at, of, this.clock);
    else {
      at = table.insert(of, this.clock);
      if (at < 0) {
        if (!denied && this.reason !== OutcomeReasonIndex.NO_ENDPOINT) {
          this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.FLOW_TABLE_FULL);
        }
        return;
      }
    }
    table.orient(at, reply);
    table.state[at] = state;
    table.epoch[at] = this.epoch;
    table.decision[at] = this.#packed();
    table.from[at] = from;
    table.to[at] = to;
    table.origin[at] = origin;
  }

  /**
   * A known connection under a new epoch. The view, `from` and `to` are the packet's, turned to the original
   * direction; `asks`: the packet cannot tell whether preDNAT policy accepts the connection.
   */
  #judgeAgain(
    slot: number,
    view: PacketView,
    next: number,
    from: number,
    to: number,
    accepted: boolean,
    asks: boolean,
  ): boolean {
    const { table, walk } = this;
    const step = table.origin[slot] & STEP_BITS;
    walk.walk(step, view, table.from[slot], table.to[slot], accepted, asks);
    if (walk.unknownInterface !== 0 && (table.from[slot] !== from || table.to[slot] !== to)) {
      // The interface it began on is gone; it goes on through another one.
      table.from[slot] = from;
      table.to[slot] = to;
      walk.walk(step, view, from, to, accepted, asks);
    }
    this.#take();
    if (walk.unknownInterface !== 0) return true;
    table.epoch[slot] = this.epoch;
    table.decision[slot] = this.#packed();
    if (this.#denies()) table.use(slot, ConnectionClass.CUT, this.clock);
    else {
      table.state[slot] = next;
      table.use(slot, connectionClass(view.protocol, next), this.clock);
    }
    return this.reason !== OutcomeReasonIndex.NO_ENDPOINT;
  }

  /** Neighbours and listeners of the link: conntrack tracks none of it either. */
  #judgeAlone(view: PacketView, step: number, from: number, to: number, accepted: boolean): boolean {
    this.walk.walk(step, view, from, to, accepted, false);
    this.#take();
    return this.reason !== OutcomeReasonIndex.NO_ENDPOINT;
  }

  /** Whether the quoted packet goes with a connection another worker allows; takes today's decision on it over if so. */
  #isKnownElsewhere(quoted: PacketView, domain: number): boolean {
    const { walk } = this;
    for (let i = 0; i < this.#others.length; i++) {
      const reader = this.#others[i];
      let slot = reader.find(quoted, domain);
      if (slot < 0) slot = reader.find(quoted, otherDomain(domain));
      if (slot < 0) continue;
      const { arrays } = reader;
      if (arrays.class[slot] <= ConnectionClass.CUT) continue;
      this.reply = reader.reply ^ 1;
      if (reader.reply === 1) reverse(quoted);
      walk.walk(arrays.origin[slot] & STEP_BITS, quoted, arrays.from[slot], arrays.to[slot], false, true);
      this.#take();
      return true;
    }
    return false;
  }

  /** Whether the quoted packet goes with a failsafe connection of this host; takes that decision over if so. */
  #isFailsafe(quoted: PacketView, step: number, from: number, to: number): boolean {
    if (step === WalkStep.FORWARD) return false;
    // The quoted packet went the other way than the error; either side may have opened its connection.
    if (this.#judgesFailsafe(quoted, counterStep(step), to, from)) return true;
    reverse(quoted);
    return this.#judgesFailsafe(quoted, step, from, to);
  }

  #judgesFailsafe(view: PacketView, step: number, from: number, to: number): boolean {
    const { walk } = this;
    const logged = walk.onLogged;
    walk.onLogged = ignore;
    walk.walk(step, view, from, to, false, false);
    walk.onLogged = logged;
    if (walk.verdict !== OutcomeVerdict.ACCEPT || walk.reason !== OutcomeReasonIndex.FAILSAFE) return false;
    this.#take();
    return true;
  }

  /** The reset that tells a local sender of a refusal on loopback's way out, as it comes in again. */
  #refuses(view: PacketView, domain: number): boolean {
    if (domain !== Domain.LOOPBACK_IN) return false;
    const slot = this.table.lookup(view, otherDomain(domain));
    if (slot >= 0 && this.table.class[slot] <= ConnectionClass.CUT && this.#refused(slot)) return true;
    this.table.lookup(view, domain);
    return false;
  }

  /** Whether the connection is refused with a message, which then is let through. */
  #refused(slot: number): boolean {
    if (this.table.epoch[slot] !== this.epoch) return false;
    this.#recall(slot);
    if (this.verdict !== OutcomeVerdict.REJECT) return false;
    this.verdict = OutcomeVerdict.ACCEPT;
    return true;
  }

  /** Whether the connection's decision is in force: made under this epoch, or kept from one before. */
  #isCurrent(slot: number): boolean {
    const { table } = this;
    if (table.epoch[slot] === this.epoch) return true;
    const of = table.class[slot];
    if (!this.keepEstablished || (of < FIRST_KEPT && of !== ConnectionClass.CLOSING)) return false;
    table.epoch[slot] = this.epoch;
    return true;
  }

  /** The decision in hand; one that may outlive the tables names no rule of theirs. */
  #packed(): number {
    return packDecision(this.keepEstablished ? NONE : this.rule, this.verdict, this.reason);
  }

  #isSame(slot: number, origin: number, from: number, to: number): boolean {
    const { table } = this;
    return (
      table.epoch[slot] === this.epoch
      && table.origin[slot] === origin
      && table.from[slot] === from
      && table.to[slot] === to
    );
  }

  #recall(slot: number): void {
    const { walk } = this;
    const decision = this.table.decision[slot];
    if (decision >= 0) {
      walk.decideByRule(decision);
      this.verdict = walk.verdict;
      this.reason = walk.reason;
      this.rule = decision;
    } else this.#outcome(decisionVerdict(decision), decisionReason(decision));
  }

  #take(): void {
    const { walk } = this;
    this.verdict = walk.verdict;
    this.reason = walk.reason;
    this.rule = walk.rule;
    this.endpoint = walk.endpoint;
  }

  #denies(): boolean {
    return this.verdict === OutcomeVerdict.DROP || this.verdict === OutcomeVerdict.REJECT;
  }

  #refuse(): boolean {
    this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.INVALID);
    return false;
  }

  #outcome(verdict: number, reason: number): void {
    this.verdict = verdict;
    this.reason = reason;
    this.rule = NONE;
  }
}

function ignore(): void {}

function originOf(step: number, accepted: boolean): number {
  return step | (accepted ? ACCEPTED : 0);
}

/** RFC 4861, RFC 2710, RFC 3810: messages that belong to no connection. */
function isLinkMessage(view: PacketView): boolean {
  const type = view.icmpType;
  return view.family === 6 && ((type >= 130 && type <= 136) || type === 143);
}
