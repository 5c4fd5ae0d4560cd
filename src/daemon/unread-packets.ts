/**
 * How many packets the hooks have queued that no reader has seen, from the
 * rules' own counters: the kernel's count of what a full queue lost is for
 * real root only (native/kernel-queues.ts).
 */
import type { HookCounter } from "../hooks/apply.ts";

/** Names of the rules that queue. */
const QUEUE_RULES: ReadonlySet<string> = new Set(["queued", "closed-port", "heavy-source", "heavy-destination"]);

export class UnreadPackets {
  readonly #before: number;

  /** `rules`: what was counted before the queues were bound. */
  constructor(rules: readonly HookCounter[]) {
    this.#before = queued(rules);
  }

  /** Packets waiting or lost; `seen` are those the kernel has handed to the readers' sockets, dropped there or not. */
  count(rules: readonly HookCounter[], seen: number): number {
    return Math.max(0, queued(rules) - this.#before - seen);
  }
}

function queued(rules: readonly HookCounter[]): number {
  return rules.reduce((sum, { name, packets }) => (QUEUE_RULES.has(name) ? sum + packets : sum), 0);
}
