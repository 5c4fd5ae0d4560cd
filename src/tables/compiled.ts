/**
 * The published form of a policy set: immutable, in shared memory, with a
 * generation. Workers read nothing else.
 *
 *   rule      what one policy rule (or one implied rule: failsafe, end of
 *             tier, ...) asks of a packet, and its action
 *   program   the rules of one endpoint, class and direction in order; the
 *             last one always matches
 *   item      a rule at its place in a program; items of all programs are
 *             numbered through, ascending within a program
 *
 * A program is searched through an index on (source predicate, destination
 * predicate, destination port predicate), so a packet that matches nothing
 * early costs probes by the number of distinct predicates its classes
 * satisfy, not by the number of rules.
 */
import type { PolicyVerdict, Reason, RuleReference } from "../policy/decision.ts";
import type { Direction, Endpoint } from "../resources/types.ts";
import type { AddressClasses } from "./address-classes.ts";
import type { KeyTable } from "./key-table.ts";
import type { PackedLists } from "./shared-arrays.ts";
import type { ValueClasses } from "./value-classes.ts";

/** JUMP: nothing is decided, evaluation goes on elsewhere (a Pass, or a rule whose negated ports rule it out). */
export const RuleAction = { ALLOW: 1, DENY: 2, CONTINUE: 3, JUMP: 4, LOG: 5 } as const;
export const ANY_PROTOCOL = -1;

export interface RuleTable {
  readonly action: Uint8Array;
  /** Bit 0: IPv4, bit 1: IPv6. */
  readonly families: Uint8Array;
  /** ANY_PROTOCOL or a protocol number. */
  readonly protocol: Int16Array;
  /** ANY_PROTOCOL or the protocol that must not be. */
  readonly notProtocol: Int16Array;
  readonly sourcePort: Uint32Array;
  readonly icmp: Uint32Array;
}

export interface ProgramTable {
  /** Program to its first item; entry [programs] closes the last one. */
  readonly itemStart: Uint32Array;
  readonly itemRule: Uint32Array;
  /** Where evaluation goes on after a Jump or a Log: the next tier for Pass, else behind the last item of the rule. */
  readonly itemNext: Uint32Array;
  /** (program * 3 + side, predicate, 0) to the first item with it; sides: 0 source, 1 destination, 2 destination port. */
  readonly firstItem: KeyTable;
  /** List program * 3 + side: the distinct predicates of that side, in order of first item. */
  readonly sidePredicates: PackedLists;
  /** (program, source predicate, destination predicate) to a pair. */
  readonly pairs: KeyTable;
  /** Pair to its first item. */
  readonly pairFirst: Uint32Array;
  /** (pair, destination port predicate, 0) to a bucket. */
  readonly buckets: KeyTable;
  /** Bucket to its items, ascending. */
  readonly bucketItems: PackedLists;
}

export interface CompiledTables {
  readonly generation: number;
  readonly addresses: AddressClasses;
  readonly sourcePorts: ValueClasses;
  readonly destinationPorts: ValueClasses;
  /** Over type * 256 + code. */
  readonly icmp: ValueClasses;
  readonly rules: RuleTable;
  readonly programs: ProgramTable;
  /** Endpoint * PROGRAM_KINDS + ProgramKind to program; kinds an endpoint does not have are NO_PROGRAM. */
  readonly endpointPrograms: Uint32Array;
  /**
   * By the same index, the programs of the pending verdicts (policy/pending.ts); NO_PROGRAM where they are those in
   * force, and empty where that is so everywhere. Nothing here is ever enforced.
   */
  readonly pendingPrograms: Uint32Array;
  readonly rejectDenied: boolean;
}

export const ProgramKind = {
  NORMAL_INGRESS: 0,
  NORMAL_EGRESS: 1,
  FORWARD_INGRESS: 2,
  FORWARD_EGRESS: 3,
  PREDNAT_INGRESS: 4,
  UNTRACKED_INGRESS: 5,
  UNTRACKED_EGRESS: 6,
} as const;
/** Room for every ProgramKind of an endpoint, a power of two. */
export const PROGRAM_KINDS = 8;
export const NO_PROGRAM = 0xffffffff;

/** What a rule id means to a person; stays on the main thread. */
export interface RuleInfo {
  readonly verdict: PolicyVerdict | "pass" | "log" | "skip";
  readonly reason: Reason;
  readonly direction: Direction;
  readonly tier: string | undefined;
  readonly rule: RuleReference | undefined;
  /** Of a pending end of tier: the label of the tier's last staged policy, without which it might not end there. */
  readonly staged?: string;
}

/** Has the endpoint any policy of the class; in either direction where none is said? */
export interface EndpointClasses {
  readonly forward: boolean;
  readonly preDNAT: boolean;
  readonly untrackedIngress: boolean;
  readonly untrackedEgress: boolean;
}

export interface Compilation {
  readonly tables: CompiledTables;
  readonly rules: readonly RuleInfo[];
  /** Endpoint index to endpoint, as they were given. */
  readonly endpoints: readonly Endpoint[];
  /** By endpoint index. */
  readonly classes: readonly EndpointClasses[];
}
