/**
 * The second lane: a queue of its own for new packets that come too fast from
 * one source, or to one address and port, so that they fill that queue and not
 * the one all others wait in. A lane is about who waits with whom, never about
 * a verdict: both queues are judged by the same tables, so a packet that is put
 * into the wrong one is judged all the same.
 *
 * Memory is bounded: the kernel forgets a source or destination half a second
 * after its last packet. Beyond TABLE_LIMIT of them at a time xt_hashlimit
 * drops what it has not seen before; that takes as many sources within a
 * second, none of which alone is fast.
 */
import type { HookConfig } from "./hook-config.ts";
import type { HookName } from "./hook-point.ts";
import { queueTarget } from "./match.ts";
import { rule } from "./rule.ts";

const TABLE_LIMIT = 524_288;
const TABLE = `--hashlimit-htable-size 32768 --hashlimit-htable-max ${TABLE_LIMIT} --hashlimit-htable-expire 500 --hashlimit-htable-gcinterval 250`;

/** Packets a second above which a packet takes the second lane; a burst of one second's packets is free. */
export interface LaneLimits {
  /** Of one source address. */
  readonly sourcePerSecond: number;
  /** To one destination address and port, from sources that keep below theirs. */
  readonly destinationPerSecond: number;
}

/** Rules to stand right before the hook's queue rule; none where there is no second lane. */
export function secondLaneRules(config: HookConfig, hook: HookName): string[] {
  const { secondLane } = config.queue;
  if (secondLane === undefined) return [];
  const { sourcePerSecond, destinationPerSecond } = secondLane;
  const lane = hook.toLowerCase();
  const target = queueTarget({ queue: secondLaneQueue(config.queue) }, config.queue.bypass);
  return [
    rule("heavy-source", above(sourcePerSecond, "srcip", `rampart-${lane}-source`), target),
    rule("heavy-destination", above(destinationPerSecond, "dstip,dstport", `rampart-${lane}-destination`), target),
  ];
}

function secondLaneQueue({ first, count, bypass }: HookConfig["queue"]): HookConfig["queue"] {
  return { first: first + count, count: 1, bypass };
}

/** A table that is there already keeps its rate whatever a new rule says, so the name has the rate in it. */
function above(perSecond: number, mode: string, name: string): string {
  const rate = kernelRate(perSecond);
  const limit = `--hashlimit-above ${rate}/sec --hashlimit-burst ${rate}`;
  return `-m hashlimit ${limit} --hashlimit-mode ${mode} --hashlimit-name ${name}-${rate} ${TABLE}`;
}

/** iptables keeps a rate as whole microseconds between packets, and prints what that comes to. */
function kernelRate(perSecond: number): number {
  return Math.floor(1_000_000 / Math.floor(1_000_000 / perSecond));
}
