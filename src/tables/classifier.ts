/**
 * Decides packets against one generation of tables after the other. It owns
 * its memo and caches, and allocates only for tables larger than all before.
 *
 * A packet becomes classes: of its addresses, ports, ICMP type. What is
 * remembered for the same classes answers at once. Otherwise the items whose
 * addresses fit are few and in order (candidate-lists.ts), and the first whose
 * form fits decides.
 */
import type { PacketView } from "../packet/view.ts";
import { CandidateLists, LONG } from "./candidate-lists.ts";
import { RuleAction, type CompiledTables } from "./compiled.ts";
import { classOfIPv4, classOfIPv6 } from "./interval-table.ts";
import { classHas, FORM_WORDS, HAS_NOT_PROTOCOL, HAS_PROTOCOL } from "./match-forms.ts";
import { BUCKET_WORDS, Head, ITEM_WORDS, LIST_HEAD_WORDS } from "./program-block.ts";
import { NO_VALUE } from "./value-classes.ts";

const NOT_FOUND = 0xffffffff;
/** Log rules a single packet can report; more are still decided correctly, but not reported. */
const MAX_LOGGED = 64;
const MEMO_WORDS = 5;
/** Set in a memo's value: Log rules matched on the way, so the walk has to be made again to report them. */
const MEMO_LOGGED = 0x80000000;
/** Candidate lists with more entries are searched once for each kind of packet, not once a packet. */
const LONG_CANDIDATES = 24;
const FIRST_SLOTS = 1 << 12;
const FIRST_WORDS = 5;

export class Classifier {
  tables: CompiledTables;
  /** Log rules the last classify() met, in order: logged[0 .. loggedCount). */
  readonly logged = new Uint32Array(MAX_LOGGED);
  loggedCount = 0;
  readonly #candidates: CandidateLists;
  /** Five words a slot: program, family and protocol; classes of source, destination, ports; rule + 1. */
  readonly #memo: Uint32Array;
  readonly #memoMask: number;
  /** First items of long lists: program * 2 + kind of list + 1, list, two words for all but addresses, item. */
  readonly #first: Uint32Array;
  #firstEpoch = 0;
  /** The packet at hand. */
  #family = 0;
  #protocol = 0;
  #sourcePort = 0;
  #destinationPort = 0;
  #icmp = 0;

  /** `memoEntries`: a power of two, 20 bytes each; 0 turns the memo off. */
  constructor(tables: CompiledTables, memoEntries = 1 << 16) {
    this.tables = tables;
    this.#candidates = new CandidateLists(tables);
    this.#memo = new Uint32Array(memoEntries * MEMO_WORDS);
    this.#memoMask = memoEntries - 1;
    this.#first = new Uint32Array(FIRST_SLOTS * FIRST_WORDS);
  }

  /**
   * Decides by these tables from now on. Instead of a new classifier: a pause for a dozen fresh megabytes is a pause for
   * every packet, and one that is old and dead holds its tables until a whole heap is collected.
   */
  use(tables: CompiledTables): void {
    this.tables = tables;
    this.#candidates.use(tables);
    this.#memo.fill(0);
    this.#first.fill(0);
    this.#firstEpoch = this.#candidates.epoch;
    this.loggedCount = 0;
  }

  /** The rule that decides the packet in the program; its action is ALLOW, DENY or CONTINUE. */
  classify(program: number, view: PacketView): number {
    const { tables } = this;
    this.loggedCount = 0;
    let source: number;
    let destination: number;
    let family: number;
    if (view.family === 4) {
      family = 1;
      source = classOfIPv4(tables.addresses.ipv4, view.words[3]);
      destination = classOfIPv4(tables.addresses.ipv4, view.words[7]);
    } else {
      family = 2;
      source = classOfIPv6(tables.addresses.ipv6, view.words, 0);
      destination = classOfIPv6(tables.addresses.ipv6, view.words, 4);
    }
    const protocol = view.protocol;
    const hasPorts = view.hasPorts !== 0;
    const hasIcmp = view.hasIcmp !== 0;
    const sourcePort = tables.sourcePorts.classOf[hasPorts ? view.sourcePort : NO_VALUE];
    const destinationPort = tables.destinationPorts.classOf[hasPorts ? view.destinationPort : NO_VALUE];
    const icmp = tables.icmp.classOf[hasIcmp ? (view.icmpType << 8) | view.icmpCode : NO_VALUE];
    this.#family = family;
    this.#protocol = protocol;
    this.#sourcePort = sourcePort;
    this.#destinationPort = destinationPort;
    this.#icmp = icmp;
    if (this.#memoMask < 0) return this.#walk(program, source, destination);

    const memo = this.#memo;
    const head = ((program << 10) | (family << 8) | protocol) >>> 0;
    const ports = hasIcmp ? icmp : ((sourcePort << 16) | destinationPort) >>> 0;
    let hash = Math.imul(head, 0x9e3779b1) ^ Math.imul(source + 0x7f4a7c15, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(destination + 0x165667b1, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0x297a2d39);
    hash ^= hash >>> 15;
    const at = (hash & this.#memoMask) * MEMO_WORDS;
    if (
      memo[at] === head &&
      memo[at + 1] === source &&
      memo[at + 2] === destination &&
      memo[at + 3] === ports &&
      memo[at + 4] !== 0
    ) {
      const value = memo[at + 4];
      return value < MEMO_LOGGED ? value - 1 : this.#walk(program, source, destination);
    }
    const rule = this.#walk(program, source, destination);
    memo[at] = head;
    memo[at + 1] = source;
    memo[at + 2] = destination;
    memo[at + 3] = ports;
    memo[at + 4] = this.loggedCount > 0 ? MEMO_LOGGED : rule + 1;
    return rule;
  }

  #walk(program: number, source: number, destination: number): number {
    const { programs, rules } = this.tables;
    const list = this.#candidates.list(program, source, destination);
    const block = programs.pages[programs.page[program]];
    const base = programs.offset[program];
    const items = base + block[base + Head.ITEMS];
    let from = 0;
    for (;;) {
      const item = this.#firstItem(block, base, program, list, from);
      const at = items + item * ITEM_WORDS;
      const rule = block[at];
      const action = rules.action[rule];
      if (action === RuleAction.LOG) {
        if (this.loggedCount < MAX_LOGGED) this.logged[this.loggedCount++] = rule;
        from = block[at + 1];
      } else if (action === RuleAction.JUMP) from = block[at + 1];
      else return rule;
    }
  }

  /** The first item at or after `from` that the packet matches; the program's last item matches everything. */
  #firstItem(block: Uint32Array, base: number, program: number, list: number, from: number): number {
    const { pool } = this.#candidates;
    if (pool[list] <= LONG_CANDIDATES) return this.#firstCandidate(block, base, program, list, from);
    const at = this.#firstSlot(program * 2 + 2, list);
    const first = this.#first;
    if (first[at] !== program * 2 + 2) {
      const item = this.#firstCandidate(block, base, program, list, 0);
      // Long lists of pairs were asked for meanwhile and may have taken the slot.
      this.#remember(at, program * 2 + 2, list, item);
    }
    const item = first[at + 4];
    return item >= from ? item : this.#firstCandidate(block, base, program, list, from);
  }

  #firstCandidate(block: Uint32Array, base: number, program: number, list: number, from: number): number {
    const { pool } = this.#candidates;
    const end = list + 1 + pool[list] * 2;
    let best = NOT_FOUND;
    for (let at = list + 1; at < end; at += 2) {
      const item = pool[at];
      if (item >= best) break;
      const value = pool[at + 1];
      if (value < LONG) {
        if (item >= from && this.#fits(value)) return item;
      } else {
        const found = this.#firstOfPair(block, base, program, value - LONG, from);
        if (found < best) best = found;
      }
    }
    return best;
  }

  #firstOfPair(block: Uint32Array, base: number, program: number, list: number, from: number): number {
    const owner = program * 2 + 1;
    const at = this.#firstSlot(owner, list);
    const first = this.#first;
    if (first[at] !== owner) this.#remember(at, owner, list, this.#search(block, base, list, 0));
    const item = first[at + 4];
    return item >= from ? item : this.#search(block, base, list, from);
  }

  /** The slot for the list and the packet at hand; its first word is 0 if it holds something else. */
  #firstSlot(owner: number, list: number): number {
    const first = this.#first;
    if (this.#firstEpoch !== this.#candidates.epoch) {
      first.fill(0);
      this.#firstEpoch = this.#candidates.epoch;
    }
    const ports = ((this.#sourcePort << 16) | this.#destinationPort) >>> 0;
    const others = ((this.#icmp << 16) | (this.#family << 8) | this.#protocol) >>> 0;
    let hash = Math.imul(owner, 0x9e3779b1) ^ Math.imul(list + 0x7f4a7c15, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ ports, 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 13) ^ others, 0x297a2d39);
    const at = ((hash ^ (hash >>> 15)) & (FIRST_SLOTS - 1)) * FIRST_WORDS;
    if (first[at] !== owner || first[at + 1] !== list || first[at + 2] !== ports || first[at + 3] !== others) first[at] = 0;
    return at;
  }

  #remember(at: number, owner: number, list: number, item: number): void {
    const first = this.#first;
    first[at] = owner;
    first[at + 1] = list;
    first[at + 2] = ((this.#sourcePort << 16) | this.#destinationPort) >>> 0;
    first[at + 3] = ((this.#icmp << 16) | (this.#family << 8) | this.#protocol) >>> 0;
    first[at + 4] = item;
  }

  /** The first item at or after `from` in a pair's list with buckets, by the destination ports it may have. */
  #search(block: Uint32Array, base: number, list: number, from: number): number {
    const { predicates } = this.tables.destinationPorts;
    const count = block[base + list + 1];
    const buckets = base + list + LIST_HEAD_WORDS;
    const classFrom = predicates.start[this.#destinationPort];
    const classTo = predicates.start[this.#destinationPort + 1];
    let best = NOT_FOUND;
    if (classTo - classFrom < count) {
      best = this.#searchBucket(block, base, findBucket(block, buckets, count, 0), from, best);
      for (let i = classFrom; i < classTo; i++) {
        best = this.#searchBucket(block, base, findBucket(block, buckets, count, predicates.values[i]), from, best);
      }
    } else {
      for (let n = 0, at = buckets; n < count; n++, at += BUCKET_WORDS) {
        if (block[at] !== 0 && !classHas(predicates, this.#destinationPort, block[at])) continue;
        best = this.#searchBucket(block, base, at, from, best);
      }
    }
    return best;
  }

  /** `bucket` is -1 for none; the lesser of `best` and the first item that fits. */
  #searchBucket(block: Uint32Array, base: number, bucket: number, from: number, best: number): number {
    if (bucket < 0) return best;
    const start = base + block[bucket + 1];
    const count = block[bucket + 2];
    for (let at = start + firstAtOrAfter(block, start, count, from) * 2; at < start + count * 2; at += 2) {
      if (block[at] >= best) return best;
      if (this.#fits(block[at + 1])) return block[at];
    }
    return best;
  }

  /** Does the packet satisfy the form? */
  #fits(form: number): boolean {
    const { forms } = this.tables;
    const at = form * FORM_WORDS;
    const conditions = forms[at];
    if ((conditions & this.#family) === 0) return false;
    if ((conditions & HAS_PROTOCOL) !== 0 && ((conditions >>> 8) & 255) !== this.#protocol) return false;
    if ((conditions & HAS_NOT_PROTOCOL) !== 0 && ((conditions >>> 16) & 255) === this.#protocol) return false;
    const { tables } = this;
    const sourcePort = forms[at + 1];
    if (sourcePort !== 0 && !classHas(tables.sourcePorts.predicates, this.#sourcePort, sourcePort)) return false;
    const destinationPort = forms[at + 2];
    if (destinationPort !== 0 && !classHas(tables.destinationPorts.predicates, this.#destinationPort, destinationPort)) return false;
    const icmp = forms[at + 3];
    return icmp === 0 || classHas(tables.icmp.predicates, this.#icmp, icmp);
  }
}

/** Offset of the bucket of a predicate, -1 if there is none. */
function findBucket(block: Uint32Array, buckets: number, count: number, predicate: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (block[buckets + middle * BUCKET_WORDS] < predicate) low = middle + 1;
    else high = middle;
  }
  const at = buckets + low * BUCKET_WORDS;
  return low < count && block[at] === predicate ? at : -1;
}

/** Position of the first of `count` (item, form) at `start` whose item is at least `wanted`. */
function firstAtOrAfter(block: Uint32Array, start: number, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  if (count > 0 && block[start] >= wanted) return 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (block[start + middle * 2] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
