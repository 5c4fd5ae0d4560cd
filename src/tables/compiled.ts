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
 * A program is a block of its own in a page (program-block.ts): a generation
 * shares the pages of the one before where programs did not change.
 */
import type { PolicyVerdict, Reason, RuleReference } from "../policy/decision.ts";
import type { Direction, Endpoint } from "../resources/types.ts";
import type { AddressClasses } from "./address-classes.ts";
import type { ValueClasses } from "./value-classes.ts";

/** JUMP: nothing is decided, evaluation goes on elsewhere (a Pass, or a rule whose negated ports rule it out). */
export const RuleAction = { ALLOW: 1, DENY: 2, CONTINUE: 3, JUMP: 4, LOG: 5 } as const;

export interface RuleTable {
  readonly action: Uint8Array;
  /** Rule to what it asks besides addresses (match-forms.ts). */
  readonly form: Uint32Array;
}

export interface ProgramTable {
  readonly pages: readonly Uint32Array[];
  /** Program to its page and the first word of its block in it. */
  readonly page: Uint32Array;
  readonly offset: Uint32Array;
  /** Items of the longest program. */
  readonly longest: number;
}

export interface CompiledTables {
  readonly generation: number;
  readonly addresses: AddressClasses;
  readonly sourcePorts: ValueClasses;
  readonly destinationPorts: ValueClasses;
  /** Over type * 256 + code. */
  readonly icmp: ValueClasses;
  readonly rules: RuleTable;
  /** FORM_WORDS each. */
  readonly forms: Uint32Array;
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
