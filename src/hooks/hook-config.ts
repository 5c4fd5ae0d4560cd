/**
 * What the hooks depend on: the one input of the plan. Two equal HookConfigs
 * give the same chains, byte for byte.
 */
import type { FailsafePort } from "../resources/types.ts";
import type { MarkLayout } from "./marks.ts";

/** Filter hooks that can be governed, named as iptables names its base chains. */
export const HOOKS = ["INPUT", "FORWARD", "OUTPUT"] as const;
export type HookName = (typeof HOOKS)[number];

/** Interfaces a hook governs. `wildcard` means every one, then `interfaces` adds nothing. */
export interface Scope {
  readonly wildcard: boolean;
  readonly interfaces: readonly string[];
}

export interface HookConfig {
  readonly input: Scope;
  readonly output: Scope;
  /** Undefined while no policy applies to forwarded packets: then FORWARD is not hooked. */
  readonly forward: Scope | undefined;
  /**
   * Connection tracking may have begun with these hooks, so TCP connections older than it are picked up in mid-stream
   * by whichever packet comes first. Otherwise such a packet belongs to nothing and is dropped: the retransmission of
   * a connection that was cut must not bring it back with its direction turned round.
   */
  readonly adoptOlder: boolean;
  /** Packets of the loopback interface are nobody's business; false polices `lo` as any other interface. */
  readonly exemptLoopback: boolean;
  readonly failsafeInbound: readonly FailsafePort[];
  readonly failsafeOutbound: readonly FailsafePort[];
  readonly queue: {
    /** First queue number; `count` queues follow on from it. */
    readonly first: number;
    readonly count: number;
    /** Let packets through while nobody reads the queue. */
    readonly bypass: boolean;
  };
  readonly marks: MarkLayout;
  /** Generation the fast path accepts, 1 to marks.maxGeneration. */
  readonly generation: number;
}
