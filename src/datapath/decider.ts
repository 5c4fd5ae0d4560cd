/**
 * One packet to one verdict. Every path through `decide` ends with a verdict
 * and a counter; what cannot be judged is dropped. Allocates nothing.
 *
 * A packet that travels against its connection's original direction is turned
 * round first, and an ICMP error stands for the packet it quotes, so that a
 * connection is always judged by the tuple it began with.
 */
import { segmentOf } from "../flow/connection-state.ts";
import { FlowTable } from "../flow/flow-table.ts";
import { PacketVerdict, type MarkLayout } from "../hooks/marks.ts";
import { Verdict, type PacketBatch } from "../native/binding.ts";
import { decode } from "../packet/decode.ts";
import { decodeEmbedded } from "../packet/embedded.ts";
import { ParseFailure } from "../packet/failure.ts";
import { reverse } from "../packet/reverse.ts";
import { PacketView } from "../packet/view.ts";
import { RuleAction } from "../tables/compiled.ts";
import { type ConnectionMemory, ConnectionTracker } from "./connection-tracker.ts";
import type { WorkerCounters } from "./counters.ts";
import { hookIndex, isFilter, walkStep } from "./hook-step.ts";
import { findInterface, INTERFACE_WORDS, type InterfaceMap } from "./interface-map.ts";
import {
  decisionReason,
  decisionVerdict,
  HookIndex,
  OutcomeReasonIndex,
  OutcomeVerdict,
  packDecision,
} from "./outcome.ts";
import { PacketWalk } from "./packet-walk.ts";
import type { PublishedTables } from "./published.ts";
import { Field, type RecordRing } from "./record-ring.ts";

/** What an event record is about (Field.KIND). */
export const RecordKind = { DECIDED: 1, LOGGED: 2, PACKET: 3 } as const;

/** Interface slots a flow's scope can name; flows of later ones are decided packet by packet. */
const MAX_SCOPE_SLOTS = 1 << 14;
/** Without offload, the part of the capacity that is for packets that connections are not known by. */
const STATELESS_SHARE = 16;
const NO_ICMP = 65536;

export interface DeciderOptions {
  readonly marks: MarkLayout;
  /** Without offload: where connections are kept. */
  readonly connections: ConnectionMemory | undefined;
  readonly flowCapacity: number;
  readonly counters: WorkerCounters;
  /** Receives a record for each newly decided flow and each Log rule that matched. */
  readonly events: RecordRing;
  /** Also for flows that are accepted; those denied, or denied by staged policies, always have their record. */
  readonly recordAccepted: boolean;
}

export class PacketDecider {
  /** Called with an interface index that is in no map; at most once a batch. */
  onUnknownInterface: (index: number) => void = () => {};
  readonly flows: FlowTable;
  /** Packets that were dropped or rejected since beginBatch. */
  denied = 0;
  /** Without offload: what judges the filter hooks and POSTROUTING in place of the flows. */
  readonly tracker: ConnectionTracker | undefined;
  readonly #marks: MarkLayout;
  readonly #counters: WorkerCounters;
  readonly #events: RecordRing;
  readonly #recordAccepted: boolean;
  #tap: RecordRing | undefined;
  readonly #view = new PacketView();
  readonly #inner = new PacketView();
  #walk: PacketWalk | undefined;
  /** Changes whenever a decision might: with new tables and with new interfaces. */
  #epoch = 0;
  #now = 0;
  #clock = 0;
  #unknownReported = false;

  // The packet in hand: what decide() found out, for the counters, the event and the tap.
  #hook = 0;
  #reply = 0;
  #inInterface = 0;
  #outInterface = 0;
  #verdict = 0;
  #reason = 0;
  #rule = -1;
  #endpoint = -1;
  #failure = 0;
  /** The rule of a pending decision that would have changed the verdict, -1 for none. */
  #pending = -1;
  #judged: PacketView = this.#view;

  constructor(options: DeciderOptions) {
    this.#marks = options.marks;
    this.#counters = options.counters;
    this.#events = options.events;
    this.#recordAccepted = options.recordAccepted;
    const { flowCapacity, connections } = options;
    this.flows = new FlowTable(connections === undefined ? flowCapacity : Math.ceil(flowCapacity / STATELESS_SHARE));
    this.tracker = connections === undefined ? undefined : new ConnectionTracker(connections);
  }

  get generation(): number {
    return this.#walk?.published.tables.generation ?? 0;
  }

  publish(published: PublishedTables): void {
    if (this.#walk === undefined) this.#walk = this.#firstWalk(published);
    else this.#walk.use(published);
    this.#epoch = (this.#epoch + 1) >>> 0;
    if (this.tracker !== undefined) {
      this.tracker.walk = this.#walk;
      this.tracker.epoch = this.#epoch;
      this.tracker.adoptOlder = published.adoptOlder;
      this.tracker.keepEstablished = published.keepEstablished;
    }
  }

  #firstWalk(published: PublishedTables): PacketWalk {
    const walk = new PacketWalk(published);
    walk.onLogged = () => this.#reportLogged(walk);
    return walk;
  }

  setInterfaces(interfaces: InterfaceMap): void {
    if (this.#walk !== undefined) this.#walk.interfaces = interfaces;
    this.#epoch = (this.#epoch + 1) >>> 0;
    if (this.tracker !== undefined) this.tracker.epoch = this.#epoch;
  }

  /** Removes up to `budget` flows that have been idle too long by the clock of beginBatch. */
  expire(clock: number, budget: number): void {
    this.flows.expire(clock, budget);
    this.tracker?.table.expire(clock, budget);
  }

  /** Copies of judged packets go to `ring` until it is undefined again. */
  setTap(ring: RecordRing | undefined): void {
    this.#tap = ring;
  }

  /** Once a batch: `now` in milliseconds since the epoch, `clock` monotonic milliseconds. */
  beginBatch(now: number, clock: number): void {
    this.#now = now;
    this.#clock = clock;
    this.denied = 0;
    if (this.tracker !== undefined) this.tracker.clock = clock;
    this.#unknownReported = false;
  }

  /** Fills verdict and verdictMark of packet `i`. */
  decide(batch: PacketBatch, i: number): void {
    this.#rule = -1;
    this.#endpoint = -1;
    this.#failure = 0;
    this.#pending = -1;
    this.#judged = this.#view;
    const mark = batch.mark[i];
    this.#reply = this.#marks.isReply(mark) ? 1 : 0;
    this.#inInterface = batch.inInterface[i];
    this.#outInterface = batch.outInterface[i];
    this.#hook = hookIndex(batch.hook[i], this.#marks.isRaw(mark));
    const first = this.#judge(batch, i, this.#marks.isAccepted(mark, this.generation));
    this.#answer(batch, i, mark);
    this.#counters.countOutcome(this.#hook, this.#verdict, this.#reason);
    if (this.#verdict === OutcomeVerdict.DROP || this.#verdict === OutcomeVerdict.REJECT) this.denied++;
    if (this.#rule >= 0 && this.#walk !== undefined) this.#walk.published.ruleHits[this.#rule] += 1;
    if (first && (this.#recordAccepted || this.#verdict !== OutcomeVerdict.ACCEPT || this.#pending >= 0)) {
      this.#record(this.#events, RecordKind.DECIDED, this.#rule, batch, i);
    }
    if (this.#tap !== undefined) this.#record(this.#tap, RecordKind.PACKET, this.#rule, batch, i);
  }

  /** After a decide() that threw: count the packet as dropped by an internal error. */
  countInternalError(): void {
    this.#counters.countOutcome(this.#hook, OutcomeVerdict.DROP, OutcomeReasonIndex.INTERNAL_ERROR);
  }

  /** Finds verdict, reason, rule and endpoint; true when the outcome is new for its flow and worth an event. */
  #judge(batch: PacketBatch, i: number, accepted: boolean): boolean {
    const view = this.#view;
    const offset = batch.offset[i];
    const length = batch.length[i];
    this.#failure = decode(view, batch.slab, offset, length, batch.originalLength[i], batch.hardwareProtocol[i]);
    if (this.#failure !== ParseFailure.NONE) return this.#unparsable();
    if (this.tracker !== undefined && this.#isTracked(batch.mark[i])) return this.#track(this.tracker, batch, i, accepted);
    let judged = view;
    if (view.icmpError !== 0) {
      judged = this.#inner;
      this.#failure = decodeEmbedded(judged, view, batch.slab, offset, length);
      if (this.#failure !== ParseFailure.NONE) return this.#unparsable();
      // The quoted packet went the other way than the error that brings it back.
      if (this.#reply === 0) reverse(judged);
    } else if (this.#reply !== 0) reverse(judged);
    this.#judged = judged;

    const walk = this.#walk;
    if (walk === undefined) {
      this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.INTERNAL_ERROR);
      return true;
    }
    // By the original direction: a reply that comes in belongs to a connection that went out, and so on.
    const reply = this.#reply !== 0;
    const from = reply ? this.#outInterface : this.#inInterface;
    const to = reply ? this.#inInterface : this.#outInterface;
    const step = walkStep(this.#hook, reply);
    const scope = this.#scope(walk, step, from, to, accepted);
    const slot = scope < 0 ? -1 : this.flows.find(judged, scope);
    if (slot >= 0 && this.flows.generationOf(slot) === this.#epoch) {
      this.#recall(walk, slot);
      return false;
    }
    walk.walk(step, judged, from, to, accepted, reply);
    if (walk.unknownInterface !== 0 && !this.#unknownReported) {
      this.#unknownReported = true;
      this.onUnknownInterface(walk.unknownInterface);
    }
    this.#take(walk);
    if (scope >= 0 && walk.unknownInterface === 0) this.#remember(judged, scope);
    return this.#reason !== OutcomeReasonIndex.NO_ENDPOINT;
  }

  /** Where connections are known; the other hooks, and untracked policy in FORWARD, are asked about single packets. */
  #isTracked(mark: number): boolean {
    const hook = this.#hook;
    if (hook === HookIndex.FORWARD) return !this.#marks.isRaw(mark);
    return hook <= HookIndex.FORWARD || hook === HookIndex.POSTROUTING;
  }

  /** The same by the connections userspace knows; the mark does not tell a reply then. */
  #track(tracker: ConnectionTracker, batch: PacketBatch, i: number, accepted: boolean): boolean {
    const walk = this.#walk;
    this.#reply = 0;
    if (walk === undefined) {
      this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.INTERNAL_ERROR);
      return true;
    }
    const view = this.#view;
    const offset = batch.offset[i];
    const length = batch.length[i];
    const step = walkStep(this.#hook, false);
    walk.unknownInterface = 0;
    walk.pendingRule = -1;
    let fresh: boolean;
    if (view.icmpError !== 0) {
      this.#judged = this.#inner;
      this.#failure = decodeEmbedded(this.#inner, view, batch.slab, offset, length);
      if (this.#failure !== ParseFailure.NONE) return this.#unparsable();
      fresh = tracker.icmpError(this.#inner, step, this.#inInterface, this.#outInterface);
    } else {
      const segment = segmentOf(view, batch.slab, offset, length);
      fresh = tracker.packet(view, segment, step, this.#inInterface, this.#outInterface, accepted);
      // Only the tap looks at a packet that is not news.
      if (!fresh && tracker.reply !== 0 && this.#tap !== undefined) reverse(view);
    }
    this.#reply = tracker.reply;
    this.#verdict = tracker.verdict;
    this.#reason = tracker.reason;
    this.#rule = tracker.rule;
    this.#endpoint = tracker.endpoint;
    if (fresh) this.#notePending(walk);
    if (walk.unknownInterface !== 0 && !this.#unknownReported) {
      this.#unknownReported = true;
      this.onUnknownInterface(walk.unknownInterface);
    }
    return fresh;
  }

  /** What a flow is known by besides its tuple: the step, the interfaces and A. Below zero: not to be remembered. */
  #scope(walk: PacketWalk, step: number, from: number, to: number, accepted: boolean): number {
    const fromSlot = from === 0 ? 0 : slotNumber(walk.interfaces, from);
    const toSlot = to === 0 ? 0 : slotNumber(walk.interfaces, to);
    if (fromSlot < 0 || toSlot < 0 || fromSlot >= MAX_SCOPE_SLOTS || toSlot >= MAX_SCOPE_SLOTS) return -1;
    return (step | (accepted ? 8 : 0) | (fromSlot << 4) | (toSlot << 18)) >>> 0;
  }

  /** A flow decided under this epoch keeps its decision: one decision for every packet of it. */
  #recall(walk: PacketWalk, slot: number): void {
    this.flows.touch(slot, this.#clock);
    const decision = this.flows.decisionOf(slot);
    if (decision >= 0) {
      walk.decideByRule(decision);
      this.#verdict = walk.verdict;
      this.#reason = walk.reason;
      this.#rule = decision;
    } else {
      this.#verdict = decisionVerdict(decision);
      this.#reason = decisionReason(decision);
    }
  }

  #take(walk: PacketWalk): void {
    this.#verdict = walk.verdict;
    this.#reason = walk.reason;
    this.#rule = walk.rule;
    this.#endpoint = walk.endpoint;
    this.#notePending(walk);
  }

  #notePending(walk: PacketWalk): void {
    if (walk.pendingRule < 0) return;
    // An endpoint further on may have decided what an earlier one's staged policies would have.
    const denied = walk.verdict === OutcomeVerdict.DROP || walk.verdict === OutcomeVerdict.REJECT;
    const wouldDeny = walk.published.tables.rules.action[walk.pendingRule] === RuleAction.DENY;
    this.#pending = denied === wouldDeny ? -1 : walk.pendingRule;
  }

  #remember(view: PacketView, scope: number): void {
    const slot = this.flows.insert(view, scope, this.#clock);
    this.flows.decide(slot, this.#epoch, packDecision(this.#rule, this.#verdict, this.#reason));
  }

  #outcome(verdict: number, reason: number): void {
    this.#verdict = verdict;
    this.#reason = reason;
  }

  #unparsable(): boolean {
    this.#counters.countParseFailure(this.#failure);
    this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.PARSE_FAILURE);
    return true;
  }

  /** Verdict to netfilter's terms: the chain carries out what the packet mark says when the packet comes round again. */
  #answer(batch: PacketBatch, i: number, mark: number): void {
    const marks = this.#marks;
    const bare = (mark & ~marks.masks.packet) >>> 0;
    batch.verdictMark[i] = bare;
    if (this.#verdict === OutcomeVerdict.DROP) {
      batch.verdict[i] = Verdict.DROP;
      return;
    }
    if (marks.verdictOf(mark) !== PacketVerdict.NONE) {
      // It came back undone: our rules are not in place. Sending it round again would never end.
      this.#counters.addGauge("returned", 1);
      batch.verdict[i] = this.#verdict === OutcomeVerdict.REJECT ? Verdict.DROP : Verdict.ACCEPT;
      return;
    }
    if (this.#verdict === OutcomeVerdict.ACCEPT && this.tracker !== undefined && isFilter(this.#hook)) {
      batch.verdict[i] = Verdict.ACCEPT;
      return;
    }
    const verdict =
      this.#verdict === OutcomeVerdict.ACCEPT
        ? PacketVerdict.ALLOW
        : this.#verdict === OutcomeVerdict.REJECT
          ? PacketVerdict.REJECT
          : PacketVerdict.RETURN;
    batch.verdict[i] = Verdict.REPEAT;
    batch.verdictMark[i] = (bare | marks.verdictMark(verdict, this.generation)) >>> 0;
  }

  #reportLogged({ classifier, published, endpoint, verdict, reason }: PacketWalk): void {
    this.#endpoint = endpoint;
    this.#verdict = verdict;
    this.#reason = reason;
    for (let n = 0; n < classifier.loggedCount; n++) {
      const rule = classifier.logged[n];
      published.ruleHits[rule] += 1;
      this.#record(this.#events, RecordKind.LOGGED, rule, undefined, 0);
    }
  }

  #record(ring: RecordRing, kind: number, rule: number, batch: PacketBatch | undefined, i: number): void {
    // What staged policies would have denied must not push out what was denied.
    const at = ring.reserve(this.#pending >= 0 && this.#verdict === OutcomeVerdict.ACCEPT);
    if (at < 0) return;
    const { words } = ring;
    const view = this.#judged;
    ring.setTime(at, this.#now);
    words[at + Field.KIND] = kind;
    words[at + Field.HOOK] = this.#hook;
    words[at + Field.VERDICT] = this.#verdict;
    words[at + Field.REASON] = this.#reason;
    words[at + Field.RULE] = rule + 1;
    words[at + Field.ENDPOINT] = this.#endpoint + 1;
    words[at + Field.IN_INTERFACE] = this.#inInterface;
    words[at + Field.OUT_INTERFACE] = this.#outInterface;
    words[at + Field.GENERATION] = this.generation;
    words[at + Field.REPLY] = this.#reply;
    words[at + Field.FAMILY] = view.family;
    words[at + Field.PROTOCOL] = view.protocol;
    words[at + Field.SOURCE_PORT] = view.sourcePort;
    words[at + Field.DESTINATION_PORT] = view.destinationPort;
    words[at + Field.ICMP] = view.hasIcmp === 0 ? NO_ICMP : (view.icmpType << 8) | view.icmpCode;
    for (let w = 0; w < 8; w++) words[at + Field.ADDRESSES + w] = view.words[w];
    words[at + Field.FAILURE] = this.#failure;
    words[at + Field.PENDING] = kind === RecordKind.LOGGED ? 0 : this.#pending + 1;
    words[at + Field.PAYLOAD_LENGTH] = 0;
    words[at + Field.ORIGINAL_LENGTH] = batch === undefined ? 0 : batch.originalLength[i];
    if (batch !== undefined && ring.payloadBytes > 0) ring.setPayload(at, batch.slab, batch.offset[i], batch.length[i]);
    ring.commit();
  }
}

/** The interface's slot counted from 1, or -1 if it is not known. */
function slotNumber(interfaces: InterfaceMap, index: number): number {
  const at = findInterface(interfaces, index);
  return at < 0 ? -1 : ((at / INTERFACE_WORDS) | 0) + 1;
}
