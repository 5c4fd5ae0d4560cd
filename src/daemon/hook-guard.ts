/**
 * Verifies the hooks when something says they may have been changed, and puts
 * them back. At most one verification runs; alarms meanwhile are one more
 * after it, and a pause in proportion to the work lies between two, so that a
 * storm of foreign changes takes a bounded share of this host. An alarm is
 * forgotten only after a verification that began after it.
 */
import type { Logger } from "pino";

/**
 * What made us look, the most telling first: nf_tables told of a foreign transaction; a table of iptables-legacy differs from the last look;
 * packets came back with their verdict not carried out; nothing, it was time to.
 */
export const hookAlarms = ["notified", "changed", "returned", "periodic"] as const;
export type HookAlarm = (typeof hookAlarms)[number];

export interface HookGuardOptions {
  readonly log: Logger;
  /** Told what is wrong while it is: `rampart status` and readiness show it. */
  readonly state: { hookProblems: readonly string[] };
  /**
   * Puts the hooks right where they are not, and tells of it before it begins. Resolves to what was wrong; undefined
   * when no policy is in force that wants hooks.
   */
  readonly repair: (onFound: (problems: readonly string[]) => void) => Promise<readonly string[] | undefined>;
}

interface Alarm {
  readonly cause: HookAlarm;
  /** performance.now() of the earliest moment the hooks may have been away. */
  readonly since: number;
  /** Programs that changed something, as far as the kernel named them. */
  readonly programs: ReadonlySet<string>;
}

/** Between two verifications: twice what one took, in these bounds. The upper one keeps a repair within 1 s. */
const PAUSE_FACTOR = 2;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 200;
/** After failures in a row: doubled each time, up to this. */
const RETRY_MAX_MS = 5000;
const PROGRAMS_MAX = 8;

export class HookGuard {
  /** Verifications and repairs so far, by what led to them. */
  readonly verifications = zeroes();
  readonly repairs = zeroes();
  #unfilteredMs = 0;
  readonly #options: HookGuardOptions;
  #waiting: Alarm | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #stopped = false;
  #notBefore = 0;
  #failures = 0;
  /** When the last verification began that left everything in place. */
  #intactAt = -Infinity;

  constructor(options: HookGuardOptions) {
    this.#options = options;
  }

  /** From changes (or the last look before them) to repaired hooks, seconds, all repairs added up. */
  get unfilteredSeconds(): number {
    return this.#unfilteredMs / 1000;
  }

  /** The hooks may have been changed, at the earliest at `since` (performance.now()). Never throws. */
  raise(cause: HookAlarm, since = performance.now(), programs: readonly string[] = []): void {
    if (this.#stopped) return;
    this.#waiting = merge({ cause, since, programs: new Set(programs) }, this.#waiting);
    this.#schedule();
  }

  /** No verification begins any more; one that runs goes on. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#stopped || this.#running || this.#timer !== undefined || this.#waiting === undefined) return;
    const wait = Math.max(0, this.#notBefore - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const alarm = this.#waiting;
      this.#waiting = undefined;
      if (alarm !== undefined) void this.#verify(alarm);
    }, wait);
  }

  async #verify(alarm: Alarm): Promise<void> {
    const began = performance.now();
    this.#running = true;
    try {
      await this.#repair(alarm);
      this.#failures = 0;
      this.#intactAt = began;
    } catch (error) {
      this.#options.log.error({ err: error }, "could not verify the hooks");
      this.#failures++;
      this.#waiting = merge(alarm, this.#waiting);
    }
    this.#running = false;
    const ended = performance.now();
    const usual = Math.min(PAUSE_MAX_MS, Math.max(PAUSE_MIN_MS, PAUSE_FACTOR * (ended - began)));
    this.#notBefore = ended + Math.min(RETRY_MAX_MS, usual * 2 ** this.#failures);
    this.#schedule();
  }

  async #repair(alarm: Alarm): Promise<void> {
    const { log, state, repair } = this.#options;
    let explained = alarm;
    const problems = await repair((found) => {
      // A periodic verification may find what we are told of a moment later.
      explained = merge(alarm, this.#waiting);
      state.hookProblems = found;
      log.error({ ...described(explained), problems: found }, "somebody changed rampart's hooks; putting them back");
    });
    if (problems === undefined) return;
    this.verifications[alarm.cause]++;
    state.hookProblems = [];
    if (problems.length === 0) return;
    const unfilteredMs = performance.now() - Math.max(explained.since, this.#intactAt);
    this.repairs[explained.cause]++;
    this.#unfilteredMs += unfilteredMs;
    log.warn({ ...described(explained), unfilteredMs: Math.round(unfilteredMs) }, "rampart's hooks are back");
  }
}

/** The more telling cause with its moment, of equal ones the earlier; and everybody who was named. */
function merge(first: Alarm, second: Alarm | undefined): Alarm {
  if (second === undefined) return first;
  const order = hookAlarms.indexOf(first.cause) - hookAlarms.indexOf(second.cause) || first.since - second.since;
  const { cause, since } = order <= 0 ? first : second;
  return { cause, since, programs: new Set([...first.programs, ...second.programs].slice(0, PROGRAMS_MAX)) };
}

function described({ cause, programs }: Alarm): Record<string, unknown> {
  return programs.size === 0 ? { cause } : { cause, programs: [...programs] };
}

function zeroes(): Record<HookAlarm, number> {
  return { notified: 0, changed: 0, returned: 0, periodic: 0 };
}
