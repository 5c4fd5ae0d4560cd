/**
 * Decides packets against one generation of tables. One instance a worker and
 * generation; it owns its memo and scratch memory and allocates nothing after
 * construction.
 */
import type { PacketView } from "../packet/view.ts";
import { classOfIPv4, classOfIPv6 } from "./address-classes.ts";
import { CandidateLists } from "./candidate-lists.ts";
import { ANY_PROTOCOL, RuleAction, type CompiledTables } from "./compiled.ts";
import { findKey } from "./key-table.ts";
import { NO_VALUE } from "./value-classes.ts";

const NOT_FOUND = 0xffffffff;
/** Log rules a single packet can report; more are still decided correctly, but not reported. */
const MAX_LOGGED = 64;
const MEMO_WORDS = 5;
/** Set in a memo's value: Log rules matched on the way, so the walk has to be made again to report them. */
const MEMO_LOGGED = 0x80000000;

export class Classifier {
  readonly tables: CompiledTables;
  /** Log rules the last classify() met, in order: logged[0 .. loggedCount). */
  readonly logged = new Uint32Array(MAX_LOGGED);
  loggedCount = 0;
  readonly #candidates: CandidateLists;
  /** Five words a slot: program, family and protocol; classes of source, destination, ports; rule + 1. */
  readonly #memo: Uint32Array;
  readonly #memoMask: number;

  /** `memoEntries`: a power of two, 20 bytes each; 0 turns the memo off. */
  constructor(tables: CompiledTables, memoEntries = 1 << 16) {
    this.tables = tables;
    this.#candidates = new CandidateLists(tables.programs);
    this.#memo = new Uint32Array(memoEntries * MEMO_WORDS);
    this.#memoMask = memoEntries - 1;
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

    if (this.#memoMask < 0) return this.#walk(program, family, protocol, source, destination, sourcePort, destinationPort, icmp);

    const memo = this.#memo;
    const head = (program << 10) | (family << 8) | protocol;
    const ports = hasIcmp ? icmp : ((sourcePort << 16) | destinationPort) >>> 0;
    let hash = Math.imul(head, 0x9e3779b1) ^ Math.imul(source + 0x7f4a7c15, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(destination + 0x165667b1, 0xc2b2ae35);
    hash = Math.imul(hash ^ (hash >>> 13) ^ ports, 0x297a2d39);
    hash ^= hash >>> 15;
    const at = (hash & this.#memoMask) * MEMO_WORDS;
    if (
      memo[at] === head >>> 0 &&
      memo[at + 1] === source &&
      memo[at + 2] === destination &&
      memo[at + 3] === ports &&
      memo[at + 4] !== 0
    ) {
      const value = memo[at + 4];
      if (value < MEMO_LOGGED) return value - 1;
      return this.#walk(program, family, protocol, source, destination, sourcePort, destinationPort, icmp);
    }
    const rule = this.#walk(program, family, protocol, source, destination, sourcePort, destinationPort, icmp);
    memo[at] = head;
    memo[at + 1] = source;
    memo[at + 2] = destination;
    memo[at + 3] = ports;
    memo[at + 4] = this.loggedCount > 0 ? MEMO_LOGGED : rule + 1;
    return rule;
  }

  #walk(
    program: number,
    family: number,
    protocol: number,
    source: number,
    destination: number,
    sourcePort: number,
    destinationPort: number,
    icmp: number,
  ): number {
    const { programs, rules, addresses, destinationPorts } = this.tables;
    const candidates = this.#candidates;
    const side = program * 3;
    // A pool that ran full in between would move the earlier lists: then ask again, with room for all three.
    let sources: number;
    let destinations: number;
    let ports: number;
    do {
      sources = candidates.list(programs, side, source, addresses.predicates);
      destinations = candidates.list(programs, side + 1, destination, addresses.predicates);
      ports = candidates.list(programs, side + 2, destinationPort, destinationPorts.predicates);
    } while (
      candidates.list(programs, side, source, addresses.predicates) !== sources ||
      candidates.list(programs, side + 1, destination, addresses.predicates) !== destinations
    );

    let from = programs.itemStart[program];
    for (;;) {
      const item = this.#first(from, program, family, protocol, sources, destinations, ports, sourcePort, icmp);
      const rule = programs.itemRule[item];
      const action = rules.action[rule];
      if (action === RuleAction.LOG) {
        if (this.loggedCount < MAX_LOGGED) this.logged[this.loggedCount++] = rule;
        from = programs.itemNext[item];
      } else if (action === RuleAction.JUMP) from = programs.itemNext[item];
      else return rule;
    }
  }

  /** The first item at or after `from` that the packet matches; the program's last item matches everything. */
  #first(
    from: number,
    program: number,
    family: number,
    protocol: number,
    sources: number,
    destinations: number,
    ports: number,
    sourcePort: number,
    icmp: number,
  ): number {
    const { programs, rules, sourcePorts } = this.tables;
    const icmpClasses = this.tables.icmp;
    const { pool } = this.#candidates;
    const { bucketItems } = programs;
    const sourcesEnd = sources + 1 + pool[sources] * 2;
    const destinationsEnd = destinations + 1 + pool[destinations] * 2;
    const portsEnd = ports + 1 + pool[ports] * 2;
    let best = NOT_FOUND;
    for (let s = sources + 1; s < sourcesEnd && pool[s + 1] < best; s += 2) {
      for (let d = destinations + 1; d < destinationsEnd && pool[d + 1] < best; d += 2) {
        const pair = findKey(programs.pairs, program, pool[s], pool[d]);
        if (pair < 0 || programs.pairFirst[pair] >= best) continue;
        for (let p = ports + 1; p < portsEnd && pool[p + 1] < best; p += 2) {
          const bucket = findKey(programs.buckets, pair, pool[p], 0);
          if (bucket < 0) continue;
          const end = bucketItems.start[bucket + 1];
          for (let i = firstAtOrAfter(bucketItems.values, bucketItems.start[bucket], end, from); i < end; i++) {
            const item = bucketItems.values[i];
            if (item >= best) break;
            const rule = programs.itemRule[item];
            if ((rules.families[rule] & family) === 0) continue;
            const wanted = rules.protocol[rule];
            if (wanted !== ANY_PROTOCOL && wanted !== protocol) continue;
            if (rules.notProtocol[rule] === protocol) continue;
            const port = rules.sourcePort[rule];
            if (port !== 0 && (sourcePorts.member[sourcePort * sourcePorts.words + (port >>> 5)] & (1 << (port & 31))) === 0) continue;
            const type = rules.icmp[rule];
            if (type !== 0 && (icmpClasses.member[icmp * icmpClasses.words + (type >>> 5)] & (1 << (type & 31))) === 0) continue;
            best = item;
            break;
          }
        }
      }
    }
    return best;
  }
}

/** First index in ascending values[low .. high) whose value is at least `wanted`. */
function firstAtOrAfter(values: Uint32Array, low: number, high: number, wanted: number): number {
  if (low < high && values[low] >= wanted) return low;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
