/**
 * How fast a reader says no. While nearly every packet of a batch is denied,
 * the next batch waits until the rate is kept: a flood then overflows its own
 * queue, where the kernel drops and counts it, and leaves the processor to
 * others. A batch in which more than a few packets may pass is never followed
 * by a wait. Allocates nothing.
 */

/** One packet in so many may be allowed. */
const MOSTLY = 16;
/** Fewer packets are no flood. */
const LEAST = 8;
const SHORTEST_MS = 0.5;
/** The reader's messages wait as long. A whole batch of 256 at the lowest rate takes less. */
const LONGEST_MS = 30;

export class DenialPace {
  readonly #perMillisecond: number;
  /** When the packets that were denied so far are paid for. */
  #paid = 0;
  /** Milliseconds to wait before the next batch. */
  wait = 0;

  constructor(perSecond: number) {
    this.#perMillisecond = perSecond / 1000;
  }

  /** After a batch, at `clock` in monotonic milliseconds. */
  after(packets: number, denied: number, clock: number): void {
    this.wait = 0;
    if (packets < LEAST || denied * MOSTLY < packets * (MOSTLY - 1)) return;
    this.#paid = Math.min(Math.max(this.#paid, clock) + packets / this.#perMillisecond, clock + LONGEST_MS);
    const wait = this.#paid - clock;
    if (wait >= SHORTEST_MS) this.wait = wait;
  }
}
