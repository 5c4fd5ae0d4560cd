/**
 * One packet to one verdict. Every path through `decide` ends with a verdict
 * and a counter; what cannot be judged is dropped. Allocates nothing.
 *
 * A packet that travels against its connection's original direction is turned
 * round first, and an ICMP error stands for the packet it quotes, so that a
 * connection is always judged by the tuple it began with.
 */
import { FlowTable } from "../flow/flow-table.ts";
import { PacketVerdict, type MarkLayout } from "../hooks/marks.ts";
import { Hook, Verdict, type PacketBatch } from "../native/binding.ts";
import { decode } from "../packet/decode.ts";
import { decodeEmbedded } from "../packet/embedded.ts";
import { ParseFailure } from "../packet/failure.ts";
import { reverse } from "../packet/reverse.ts";
import { PacketView } from "../packet/view.ts";
import { Classifier } from "../tables/classifier.ts";
import { PROGRAM_KINDS, ProgramKind, RuleAction, type CompiledTables } from "../tables/compiled.ts";
import type { WorkerCounters } from "./counters.ts";
import { endpointOfInterface, NO_ENDPOINT, UNKNOWN_INTERFACE, type InterfaceMap } from "./interface-map.ts";
import { HookIndex, OutcomeReasonIndex, OutcomeVerdict } from "./outcome.ts";
import type { PublishedTables } from "./published.ts";
import { Field, type RecordRing } from "./record-ring.ts";

/** What an event record is about (Field.KIND). */
export const RecordKind = { DECIDED: 1, LOGGED: 2, PACKET: 3 } as const;

/** Endpoints a node can have: an endpoint index fits 15 bits of a flow's scope. */
export const MAX_ENDPOINTS = 32766;
const NO_ICMP = 65536;

export interface DeciderOptions {
  readonly marks: MarkLayout;
  readonly flowCapacity: number;
  readonly counters: WorkerCounters;
  /** Receives a record for each newly decided flow and each Log rule that matched. */
  readonly events: RecordRing;
  /** Also for flows that are accepted; denied ones always have their record. */
  readonly recordAccepted: boolean;
}

export class PacketDecider {
  /** Called with an interface index that is in no map; at most once a batch. */
  onUnknownInterface: (index: number) => void = () => {};
  readonly flows: FlowTable;
  readonly #marks: MarkLayout;
  readonly #counters: WorkerCounters;
  readonly #events: RecordRing;
  readonly #recordAccepted: boolean;
  #tap: RecordRing | undefined;
  readonly #view = new PacketView();
  readonly #inner = new PacketView();
  #classifier: Classifier | undefined;
  #published: PublishedTables | undefined;
  /** Counts publications: generation numbers come round again, this one does not within a flow's life. */
  #epoch = 0;
  #interfaces: InterfaceMap = new Int32Array(8);
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
  #judged: PacketView = this.#view;

  constructor(options: DeciderOptions) {
    this.#marks = options.marks;
    this.#counters = options.counters;
    this.#events = options.events;
    this.#recordAccepted = options.recordAccepted;
    this.flows = new FlowTable(options.flowCapacity);
  }

  get generation(): number {
    return this.#published?.tables.generation ?? 0;
  }

  publish(published: PublishedTables): void {
    this.#epoch = (this.#epoch + 1) >>> 0;
    this.#published = published;
    this.#classifier = new Classifier(published.tables);
    this.#interfaces = published.interfaces;
  }

  setInterfaces(interfaces: InterfaceMap): void {
    this.#interfaces = interfaces;
  }

  /** Copies of judged packets go to `ring` until it is undefined again. */
  setTap(ring: RecordRing | undefined): void {
    this.#tap = ring;
  }

  /** Once a batch: `now` in milliseconds since the epoch, `clock` monotonic milliseconds. */
  beginBatch(now: number, clock: number): void {
    this.#now = now;
    this.#clock = clock;
    this.#unknownReported = false;
  }

  /** Fills verdict and verdictMark of packet `i`. */
  decide(batch: PacketBatch, i: number): void {
    this.#rule = -1;
    this.#endpoint = -1;
    this.#failure = 0;
    this.#judged = this.#view;
    const mark = batch.mark[i];
    this.#reply = this.#marks.isReply(mark) ? 1 : 0;
    this.#inInterface = batch.inInterface[i];
    this.#outInterface = batch.outInterface[i];
    const hook = batch.hook[i];
    this.#hook = hook === Hook.INPUT ? HookIndex.INPUT : hook === Hook.OUTPUT ? HookIndex.OUTPUT : HookIndex.FORWARD;
    const first = this.#judge(batch, i);
    this.#answer(batch, i, mark);
    this.#counters.countOutcome(this.#hook, this.#verdict, this.#reason);
    if (this.#rule >= 0 && this.#published !== undefined) this.#published.ruleHits[this.#rule] += 1;
    if (first && (this.#recordAccepted || this.#verdict !== OutcomeVerdict.ACCEPT)) {
      this.#record(this.#events, RecordKind.DECIDED, this.#rule, batch, i);
    }
    if (this.#tap !== undefined) this.#record(this.#tap, RecordKind.PACKET, this.#rule, batch, i);
  }

  /** After a decide() that threw: count the packet as dropped by an internal error. */
  countInternalError(): void {
    this.#counters.countOutcome(this.#hook, OutcomeVerdict.DROP, OutcomeReasonIndex.INTERNAL_ERROR);
  }

  /** Finds verdict, reason, rule and endpoint; true when the outcome is new for its flow and worth an event. */
  #judge(batch: PacketBatch, i: number): boolean {
    const view = this.#view;
    const offset = batch.offset[i];
    const length = batch.length[i];
    this.#failure = decode(view, batch.slab, offset, length, batch.originalLength[i], batch.hardwareProtocol[i]);
    if (this.#failure !== ParseFailure.NONE) return this.#unparsable();
    let judged = view;
    if (view.icmpError !== 0) {
      judged = this.#inner;
      this.#failure = decodeEmbedded(judged, view, batch.slab, offset, length);
      if (this.#failure !== ParseFailure.NONE) return this.#unparsable();
      // The quoted packet went the other way than the error that brings it back.
      if (this.#reply === 0) reverse(judged);
    } else if (this.#reply !== 0) reverse(judged);
    this.#judged = judged;

    const published = this.#published;
    const classifier = this.#classifier;
    if (published === undefined || classifier === undefined) {
      this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.INTERNAL_ERROR);
      return true;
    }
    // Original direction: a reply that comes in belongs to a connection that went out, and so on.
    const local = this.#hook !== HookIndex.FORWARD;
    const outgoing = local && (this.#hook === HookIndex.OUTPUT) !== (this.#reply !== 0);
    const from = this.#reply === 0 ? this.#inInterface : this.#outInterface;
    const to = this.#reply === 0 ? this.#outInterface : this.#inInterface;
    if (local) return this.#judgeLocal(published, classifier, judged, outgoing ? to : from, outgoing);
    return this.#judgeForward(published, classifier, judged, from, to);
  }

  #judgeLocal(
    published: PublishedTables,
    classifier: Classifier,
    view: PacketView,
    interfaceIndex: number,
    outgoing: boolean,
  ): boolean {
    const endpoint = endpointOfInterface(this.#interfaces, interfaceIndex);
    if (endpoint < 0) return this.#ungoverned(endpoint, interfaceIndex);
    this.#endpoint = endpoint;
    const kind = outgoing ? ProgramKind.NORMAL_EGRESS : ProgramKind.NORMAL_INGRESS;
    const scope = kind | ((endpoint + 1) << 2);
    const known = this.#knownFlow(view, scope, published.tables);
    if (known) return false;
    const rule = classifier.classify(published.tables.endpointPrograms[endpoint * PROGRAM_KINDS + kind], view);
    this.#decided(published, rule);
    this.#reportLogged(classifier);
    this.#remember(view, scope);
    return true;
  }

  /** SEMANTICS 3.4, F1 then F4; what the last endpoint leaves behind is the end of it (F6). */
  #judgeForward(published: PublishedTables, classifier: Classifier, view: PacketView, from: number, to: number): boolean {
    const fromEndpoint = endpointOfInterface(this.#interfaces, from);
    if (fromEndpoint === UNKNOWN_INTERFACE) return this.#ungoverned(fromEndpoint, from);
    const toEndpoint = endpointOfInterface(this.#interfaces, to);
    if (toEndpoint === UNKNOWN_INTERFACE) return this.#ungoverned(toEndpoint, to);
    if (fromEndpoint === NO_ENDPOINT && toEndpoint === NO_ENDPOINT) return this.#ungoverned(NO_ENDPOINT, from);
    const { endpointPrograms } = published.tables;
    const scope = (ProgramKind.FORWARD_INGRESS | ((fromEndpoint + 1) << 2) | ((toEndpoint + 1) << 17)) >>> 0;
    this.#endpoint = toEndpoint === NO_ENDPOINT ? fromEndpoint : toEndpoint;
    if (this.#knownFlow(view, scope, published.tables)) return false;
    if (fromEndpoint !== NO_ENDPOINT) {
      this.#endpoint = fromEndpoint;
      const program = endpointPrograms[fromEndpoint * PROGRAM_KINDS + ProgramKind.FORWARD_INGRESS];
      this.#decided(published, classifier.classify(program, view));
      this.#reportLogged(classifier);
    }
    const denied = fromEndpoint !== NO_ENDPOINT && published.tables.rules.action[this.#rule] === RuleAction.DENY;
    if (!denied && toEndpoint !== NO_ENDPOINT) {
      this.#endpoint = toEndpoint;
      const program = endpointPrograms[toEndpoint * PROGRAM_KINDS + ProgramKind.FORWARD_EGRESS];
      this.#decided(published, classifier.classify(program, view));
      this.#reportLogged(classifier);
    }
    this.#remember(view, scope);
    return true;
  }

  /** A flow decided under this generation keeps its decision: one decision for every packet of it. */
  #knownFlow(view: PacketView, scope: number, tables: CompiledTables): boolean {
    const slot = this.flows.find(view, scope);
    if (slot < 0 || this.flows.generation[slot] !== this.#epoch) return false;
    this.flows.packets[slot] += 1;
    this.flows.touch(slot, this.#clock);
    this.#decidedByRule(tables, this.flows.decision[slot]);
    return true;
  }

  #remember(view: PacketView, scope: number): void {
    const slot = this.flows.insert(view, scope, this.#clock);
    this.flows.generation[slot] = this.#epoch;
    this.flows.decision[slot] = this.#rule;
    this.flows.packets[slot] += 1;
  }

  #decided(published: PublishedTables, rule: number): void {
    this.#decidedByRule(published.tables, rule);
  }

  #decidedByRule(tables: CompiledTables, rule: number): void {
    this.#rule = rule;
    this.#reason = this.#published === undefined ? 0 : this.#published.ruleReasons[rule];
    const action = tables.rules.action[rule];
    if (action === RuleAction.ALLOW) this.#verdict = OutcomeVerdict.ACCEPT;
    else if (action === RuleAction.CONTINUE) this.#verdict = OutcomeVerdict.RETURN;
    else this.#verdict = tables.rejectDenied ? OutcomeVerdict.REJECT : OutcomeVerdict.DROP;
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

  /** No endpoint: not ours to judge. Unknown interface: it may have an endpoint by now, so drop and ask. */
  #ungoverned(endpoint: number, interfaceIndex: number): boolean {
    if (endpoint === NO_ENDPOINT) {
      this.#outcome(OutcomeVerdict.RETURN, OutcomeReasonIndex.NO_ENDPOINT);
      return false;
    }
    this.#outcome(OutcomeVerdict.DROP, OutcomeReasonIndex.UNKNOWN_INTERFACE);
    if (!this.#unknownReported) {
      this.#unknownReported = true;
      this.onUnknownInterface(interfaceIndex);
    }
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
    const verdict =
      this.#verdict === OutcomeVerdict.ACCEPT
        ? PacketVerdict.ALLOW
        : this.#verdict === OutcomeVerdict.REJECT
          ? PacketVerdict.REJECT
          : PacketVerdict.RETURN;
    batch.verdict[i] = Verdict.REPEAT;
    batch.verdictMark[i] = (bare | marks.verdictMark(verdict, this.generation)) >>> 0;
  }

  #reportLogged(classifier: Classifier): void {
    for (let n = 0; n < classifier.loggedCount; n++) {
      const rule = classifier.logged[n];
      if (this.#published !== undefined) this.#published.ruleHits[rule] += 1;
      this.#record(this.#events, RecordKind.LOGGED, rule, undefined, 0);
    }
  }

  #record(ring: RecordRing, kind: number, rule: number, batch: PacketBatch | undefined, i: number): void {
    const at = ring.reserve();
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
    words[at + Field.PAYLOAD_LENGTH] = 0;
    words[at + Field.ORIGINAL_LENGTH] = batch === undefined ? 0 : batch.originalLength[i];
    if (batch !== undefined && ring.payloadBytes > 0) ring.setPayload(at, batch.slab, batch.offset[i], batch.length[i]);
    ring.commit();
  }
}
