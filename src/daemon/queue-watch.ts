/**
 * Finds out, round by round, whether every queue is read: a canary goes
 * through each (hooks/canary.ts), and each reader's thread has a heartbeat.
 * Only when all of them answered in a round is the service manager told that
 * the daemon is alive. What must always hold:
 *   - a reader that hangs, or leaves packets lying, for the time of patience
 *     ends the daemon: its supervisor starts another one, and the kernel goes
 *     on with established connections meanwhile;
 *   - an overrun queue, whose reader works on, does not;
 *   - canaries that never come back from the start on prove nothing about the
 *     readers (somebody's rules may drop them): heartbeats alone count then.
 *
 * Rounds are counted instead of time, so that a process that was stopped, or a
 * machine that slept, accuses nobody.
 */
import { randomBytes } from "node:crypto";
import type { Logger } from "pino";
import { canaryPayload, NONCE_BYTES, sharedClock } from "../datapath/canary.ts";
import type { WorkerCounters } from "../datapath/counters.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { CANARY_PORT, canaryAddress } from "../hooks/canary.ts";
import type { NativeBinding } from "../native/binding.ts";
import type { KernelQueue } from "../native/kernel-queues.ts";

/** What the process's canaries are known by. */
export function canaryNonce(): Uint8Array {
  return Uint8Array.from(randomBytes(NONCE_BYTES));
}

export interface QueueWatchOptions {
  readonly native: Pick<NativeBinding, "sendMarked">;
  readonly log: Logger;
  readonly intervalMs: number;
  readonly patienceMs: number;
  readonly nonce: Uint8Array;
  readonly mark: number;
  readonly maxLength: number;
  /** The kernel's own list; empty where it may not be read. */
  readonly kernelQueues: () => readonly KernelQueue[];
  readonly readers: readonly { readonly queue: number; readonly counters: WorkerCounters }[];
  /** A second queue of the first reader. */
  readonly aroundRouting: number | undefined;
  /** Whether the hooks in force have the canaries' rules. */
  readonly hasCanary: () => boolean;
  /** A canary is missing: somebody may have changed the hooks. */
  readonly onMissing: () => void;
  /** Every queue has answered. */
  readonly onAnswered: () => void;
  readonly onFatal: (error: RampartError) => void;
}

/** One queue; `roundTripSeconds` is of its last canary that came back. */
export interface WatchedQueue {
  readonly queue: number;
  readonly missed: number;
  readonly roundTripSeconds: number | undefined;
  readonly heartbeatAgeSeconds: number;
}

/** Canaries in a row that a queue may lose before it is called silent. */
const SILENT_AFTER = 2;
/** Canaries that must be lost from the start on before the readers are judged without. */
const UNHEARD_AFTER = 3;

class Queue {
  readonly number: number;
  readonly aroundRouting: boolean;
  readonly counters: WorkerCounters;
  /** Of the canary under way; 0: none is. */
  sequence = 0;
  sentAt = 0;
  sendFailure = "";
  missed = 0;
  missedInRow = 0;
  answeredEver = false;
  roundTripMs: number | undefined;
  heartbeatAt = 0;
  roundsWithoutBeat = 0;
  roundsStuck = 0;
  /** What an overrun would move. */
  packetsBefore = 0;
  dropsBefore = 0;
  problem: string | undefined;

  constructor(number: number, aroundRouting: boolean, counters: WorkerCounters) {
    this.number = number;
    this.aroundRouting = aroundRouting;
    this.counters = counters;
  }
}

export class QueueWatch {
  readonly #options: QueueWatchOptions;
  readonly #queues: readonly Queue[];
  readonly #patientRounds: number;
  /** As they were at the begin of the round; empty where they may not be read. */
  #kernel: readonly KernelQueue[] = [];
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #unheardSaid = false;

  constructor(options: QueueWatchOptions) {
    this.#options = options;
    const { readers, aroundRouting, patienceMs, intervalMs } = options;
    const [first] = readers;
    this.#queues = [
      ...readers.map(({ queue, counters }) => new Queue(queue, false, counters)),
      ...(aroundRouting === undefined || first === undefined ? [] : [new Queue(aroundRouting, true, first.counters)]),
    ];
    this.#patientRounds = Math.max(2, Math.ceil(patienceMs / intervalMs));
  }

  /** What is wrong, in words; empty while every queue is read as far as can be told. */
  get problems(): readonly string[] {
    return this.#queues.map(({ problem }) => problem).filter((problem) => problem !== undefined);
  }

  get queues(): readonly WatchedQueue[] {
    const now = sharedClock();
    return this.#queues.map(({ number, missed, roundTripMs, counters }) => ({
      queue: number,
      missed,
      roundTripSeconds: roundTripMs === undefined ? undefined : roundTripMs / 1000,
      heartbeatAgeSeconds: Math.max(0, now - counters.gauge("heartbeatAt")) / 1000,
    }));
  }

  start(): void {
    this.#kernel = this.#options.kernelQueues();
    this.#send();
    // A reader in this thread gets to its packets before it is judged, also after a long pause of the thread.
    this.#timer = setInterval(() => setImmediate(() => this.#round()), this.#options.intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #round(): void {
    if (this.#timer === undefined) return;
    this.#kernel = this.#options.kernelQueues();
    const before = this.problems.length;
    let allAnswered = true;
    for (const queue of this.#queues) {
      if (!this.#judge(queue)) allAnswered = false;
    }
    if (this.#timer === undefined) return;
    if (before > 0 && this.problems.length === 0) this.#options.log.info("every queue answers again");
    if (allAnswered) this.#options.onAnswered();
    this.#send();
  }

  /** True when the queue has answered, or as much as it can. */
  #judge(queue: Queue): boolean {
    const { log } = this.#options;
    const answered = this.#answered(queue);
    const beats = this.#beats(queue);
    const stuck = !answered && this.#isStuck(queue);
    queue.roundsStuck = stuck ? queue.roundsStuck + 1 : 0;
    const excused = !answered && !stuck && (!queue.answeredEver || this.#isOverrun(queue));
    if (!answered && !queue.answeredEver && queue.missed === UNHEARD_AFTER) this.#sayUnheard(queue);
    const problem = this.#problemOf(queue, beats, answered || excused);
    if (problem !== undefined && queue.problem === undefined) {
      log.error({ code: "RAMPART_E_QUEUE_SILENT", queue: queue.number }, problem);
    }
    queue.problem = problem;
    if (problem !== undefined && this.#isHopeless(queue)) {
      this.stop();
      this.#options.onFatal(
        new RampartError("RAMPART_E_QUEUE_SILENT", problem, {
          hint: "the daemon ends so that its supervisor starts a new one; established connections go on in the kernel",
        }),
      );
    }
    return beats && (answered || excused);
  }

  /** Notes whether the canary of this round came back; true also when none was sent. */
  #answered(queue: Queue): boolean {
    if (queue.sequence === 0) return true;
    const { counters } = queue;
    if (counters.gauge(queue.aroundRouting ? "canaryAroundSequence" : "canarySequence") === queue.sequence) {
      queue.answeredEver = true;
      queue.missedInRow = 0;
      queue.roundTripMs = Math.max(0, counters.gauge("canaryAt") - queue.sentAt);
      return true;
    }
    queue.missed++;
    queue.missedInRow++;
    // The hooks are verified every few seconds anyway; a busy host is not given more to do each round.
    if (queue.missedInRow === 1) this.#options.onMissing();
    return false;
  }

  #beats(queue: Queue): boolean {
    const at = queue.counters.gauge("heartbeatAt");
    queue.roundsWithoutBeat = at === queue.heartbeatAt ? queue.roundsWithoutBeat + 1 : 0;
    queue.heartbeatAt = at;
    return queue.roundsWithoutBeat === 0;
  }

  /** Packets wait, and the reader has read none since the last round. */
  #isStuck({ number, counters, packetsBefore }: Queue): boolean {
    return counters.gauge("packets") === packetsBefore && (this.#kernelQueue(number)?.pending ?? 0) > 0;
  }

  /** The queue overflows while its reader works on, as far as we may look. */
  #isOverrun(queue: Queue): boolean {
    if (queue.counters.gauge("packets") <= queue.packetsBefore) return false;
    const kernel = this.#kernelQueue(queue.number);
    return kernel === undefined || kernel.pending >= this.#options.maxLength / 2 || this.#drops(queue) > queue.dropsBefore;
  }

  #drops({ number, counters }: Queue): number {
    return counters.gauge("enobufs") + (this.#kernelQueue(number)?.kernelDropped ?? 0);
  }

  #kernelQueue(number: number): KernelQueue | undefined {
    return this.#kernel.find(({ queue }) => queue === number);
  }

  #problemOf({ number, roundsWithoutBeat, missedInRow, sendFailure }: Queue, beats: boolean, answers: boolean): string | undefined {
    if (!beats && roundsWithoutBeat >= SILENT_AFTER) return `the reader of queue ${number} does not move any more`;
    if (answers || missedInRow < SILENT_AFTER) return undefined;
    return `queue ${number} does not answer: ${missedInRow} canaries in a row did not come back${sendFailure}`;
  }

  /** A canary that waits in the queue shows that it is the reader who does not come, not a rule that keeps it away. */
  #isHopeless(queue: Queue): boolean {
    if (queue.roundsWithoutBeat >= this.#patientRounds) return true;
    return queue.roundsStuck >= this.#patientRounds;
  }

  #sayUnheard({ number, sendFailure }: Queue): void {
    if (this.#unheardSaid) return;
    this.#unheardSaid = true;
    const text = `no canary has come back through queue ${number}${sendFailure}: readers are judged by their heartbeat alone`;
    this.#options.log.warn({ code: "RAMPART_W_CANARY", queue: number }, text);
  }

  #send(): void {
    const { hasCanary } = this.#options;
    const sends = hasCanary();
    if (sends) this.#sequence = this.#sequence % 0xffffffff + 1;
    for (const queue of this.#queues) {
      queue.sequence = sends ? this.#sequence : 0;
      if (!sends) queue.missedInRow = 0;
      else this.#sendThrough(queue);
    }
  }

  #sendThrough(queue: Queue): void {
    const { native, mark, nonce } = this.#options;
    queue.packetsBefore = queue.counters.gauge("packets");
    queue.dropsBefore = this.#drops(queue);
    queue.sentAt = sharedClock();
    try {
      native.sendMarked(canaryAddress(queue.number), CANARY_PORT, mark, canaryPayload(nonce, queue.sequence, queue.aroundRouting));
      queue.sendFailure = "";
    } catch (error) {
      queue.sendFailure = ` (${error instanceof Error ? error.message : String(error)})`;
    }
  }
}
