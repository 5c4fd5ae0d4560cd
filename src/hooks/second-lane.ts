/**
 * The second lane: a queue of its own for packets to ports that no policy can
 * let in, and for new packets that come too fast from one source, or to one
 * address and port, so that they fill that queue and not the one all others
 * wait in. A lane is about who waits with whom, never about
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

/** Ports one multiport match takes; a range takes two places. */
const MULTIPORT_LIMIT = 15;
const TABLE_LIMIT = 524_288;
const TABLE =
  `--hashlimit-htable-size 32768 --hashlimit-htable-max ${TABLE_LIMIT} `
  + "--hashlimit-htable-expire 500 --hashlimit-htable-gcinterval 250";

/** Packets a second above which a packet takes the second lane; a burst of one second's packets is free. */
export interface LaneLimits {
  /** Of one source address. */
  readonly sourcePerSecond: number;
  /** To one destination address and port, from sources that keep below theirs. */
  readonly destinationPerSecond: number;
  /** What some policy may let in to this host; by protocol, undefined where any port may be. */
  readonly openPorts: { readonly tcp: Ports | undefined; readonly udp: Ports | undefined };
}

/** In order, apart from one another. */
type Ports = readonly { readonly min: number; readonly max: number }[];

/** Rules to stand right before the hook's queue rule; none where there is no second lane. */
export function secondLaneRules(config: HookConfig, hook: HookName): string[] {
  const { secondLane } = config.queue;
  if (secondLane === undefined) return [];
  const { sourcePerSecond, destinationPerSecond, openPorts } = secondLane;
  const lane = hook.toLowerCase();
  const target = queueTarget({ queue: secondLaneQueue(config.queue) }, config.queue.bypass);
  // Elsewhere the ports are those of other hosts, or of before DNAT.
  const closed = hook === "INPUT" ? [...closedPorts("tcp", openPorts.tcp), ...closedPorts("udp", openPorts.udp)] : [];
  return [
    ...closed.map((match) => rule("closed-port", match, target)),
    rule("heavy-source", above(sourcePerSecond, "srcip", `rampart-${lane}-source`), target),
    rule("heavy-destination", above(destinationPerSecond, "dstip,dstport", `rampart-${lane}-destination`), target),
  ];
}

/** Replies go to ports that were chosen here. */
function closedPorts(protocol: "tcp" | "udp", open: Ports | undefined): string[] {
  if (open === undefined) return [];
  const ranges = fewRanges(open).map(({ min, max }) => (min === max ? `${min}` : `${min}:${max}`));
  const others = ranges.length === 0 ? "" : `-m multiport ! --dports ${ranges.join(",")} `;
  return [`-p ${protocol} ${others}-m conntrack --ctdir ORIGINAL`];
}

/** As many ranges as fit one match; those with the least between them become one, so none of `open` is missing. */
function fewRanges(open: Ports): Ports {
  const ranges = [...open];
  while (ranges.reduce((places, { min, max }) => places + (min === max ? 1 : 2), 0) > MULTIPORT_LIMIT) {
    let nearest = 1;
    for (let i = 2; i < ranges.length; i++) if (gap(ranges, i) < gap(ranges, nearest)) nearest = i;
    const { min } = ranges[nearest - 1] as Ports[number];
    const { max } = ranges[nearest] as Ports[number];
    ranges.splice(nearest - 1, 2, { min, max });
  }
  return ranges;
}

function gap(ranges: Ports, at: number): number {
  return (ranges[at] as Ports[number]).min - (ranges[at - 1] as Ports[number]).max;
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
