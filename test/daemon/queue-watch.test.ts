/** What the watch concludes from what readers leave in their counters; with real readers: test/e2e/watchdog.test.ts. */
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { QueueWatch } from "../../src/daemon/queue-watch.ts";
import { sharedClock } from "../../src/datapath/canary.ts";
import { WorkerCounters } from "../../src/datapath/counters.ts";
import type { RampartError } from "../../src/errors/rampart-error.ts";
import type { KernelQueue } from "../../src/native/kernel-queues.ts";

const INTERVAL_MS = 1000;
const QUEUE = 100;
const MAX_LENGTH = 1024;

function kernelQueue(pending: number): KernelQueue {
  return { queue: QUEUE, peerPortId: 1, pending, copyRange: 512, kernelDropped: 0, userDropped: 0 };
}

class Reader {
  readonly counters = new WorkerCounters();
  /** Canaries sent and not read yet. */
  sent = 0;
  last = 0;
  fatal: RampartError | undefined;
  alive = 0;
  hasCanary = true;
  /** In the kernel's queue; undefined: we may not look. */
  pending: number | undefined;
  readonly watch = new QueueWatch({
    native: {
      sendMarked: (_address, _port, _mark, payload) => {
        this.sent++;
        this.last = new DataView(payload.buffer).getUint32(8);
      },
    },
    log: pino({ enabled: false }),
    intervalMs: INTERVAL_MS,
    patienceMs: 3 * INTERVAL_MS,
    nonce: new Uint8Array(8),
    mark: 1,
    maxLength: MAX_LENGTH,
    kernelQueues: () => (this.pending === undefined ? [] : [kernelQueue(this.pending)]),
    readers: [{ queue: QUEUE, counters: this.counters }],
    aroundRouting: undefined,
    hasCanary: () => this.hasCanary,
    onMissing: () => undefined,
    onAnswered: () => this.alive++,
    onFatal: (error) => (this.fatal = error),
  });

  beat(): void {
    this.counters.addGauge("heartbeatAt", 1);
  }

  answer(): void {
    this.counters.setGauge("canaryAt", sharedClock());
    this.counters.setGauge("canarySequence", this.last);
  }

  /** One round, in which the reader does what `does` says. */
  async round(...does: ("beat" | "answer" | "read")[]): Promise<void> {
    if (does.includes("beat")) this.beat();
    if (does.includes("answer")) this.answer();
    if (does.includes("read")) this.counters.addGauge("packets", 1);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    // What the timer has put off.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

let reader: Reader;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  reader = new Reader();
  reader.watch.start();
});
afterEach(() => {
  reader.watch.stop();
  vi.useRealTimers();
});

describe("a queue", () => {
  test("that answers is alive, in each round anew, and one canary goes out a round", async () => {
    for (let i = 1; i <= 3; i++) {
      await reader.round("beat", "answer");
      expect([reader.alive, reader.sent]).toEqual([i, i + 1]);
    }
    expect(reader.watch.queues).toMatchObject([{ queue: QUEUE, missed: 0 }]);
    expect(reader.watch.queues[0]?.roundTripSeconds).toBeGreaterThanOrEqual(0);
  });

  test("whose canary is lost while its reader beats is silent after the second, and heals with the next answer", async () => {
    await reader.round("beat", "answer");
    await reader.round("beat");
    expect([reader.alive, reader.watch.problems]).toEqual([1, []]);
    await reader.round("beat");
    expect(reader.watch.problems).toEqual([expect.stringContaining(`queue ${QUEUE} does not answer`)]);
    for (let i = 0; i < 10; i++) await reader.round("beat");
    // Lost on its way, as far as can be told: no reason to end.
    expect([reader.alive, reader.fatal]).toEqual([1, undefined]);
    await reader.round("beat", "answer");
    expect([reader.alive, reader.watch.problems]).toEqual([2, []]);
    expect(reader.watch.queues).toMatchObject([{ missed: 12 }]);
  });

  test("whose reader is busy with others' packets is overrun, not silent", async () => {
    await reader.round("beat", "answer");
    for (let i = 0; i < 5; i++) await reader.round("beat", "read");
    expect([reader.alive, reader.watch.problems]).toEqual([6, []]);
    expect(reader.watch.queues).toMatchObject([{ missed: 5 }]);
  });

  test("that nearly overflows is not silent; one with room, whose canary is lost among others' packets, is", async () => {
    await reader.round("beat", "answer");
    reader.pending = MAX_LENGTH / 2;
    for (let i = 0; i < 3; i++) await reader.round("beat", "read");
    expect([reader.alive, reader.watch.problems]).toEqual([4, []]);
    reader.pending = 1;
    for (let i = 0; i < 2; i++) await reader.round("beat", "read");
    expect(reader.watch.problems).toEqual([expect.stringContaining("does not answer")]);
  });

  test.each([["a queue that has answered", true], ["a queue that never has", false]])(
    "whose reader beats and lets packets lie ends the daemon after the time of patience: %s",
    async (_what, answers) => {
      reader.pending = 0;
      await (answers ? reader.round("beat", "answer") : reader.round("beat"));
      reader.pending = 3;
      await reader.round("beat");
      await reader.round("beat");
      // Read after all: patience begins anew.
      await reader.round("beat", "read");
      for (let i = 0; i < 2; i++) await reader.round("beat");
      expect([reader.alive, reader.fatal]).toEqual([answers ? 1 : 2, undefined]);
      await reader.round("beat");
      expect(reader.fatal).toMatchObject({ code: "RAMPART_E_QUEUE_SILENT" });
    },
  );

  test("whose reader hangs ends the daemon after the time of patience, once", async () => {
    await reader.round("beat", "answer");
    await reader.round();
    await reader.round();
    expect([reader.alive, reader.fatal]).toEqual([1, undefined]);
    expect(reader.watch.problems).toEqual([expect.stringContaining("does not move")]);
    await reader.round();
    expect(reader.fatal).toMatchObject({ code: "RAMPART_E_QUEUE_SILENT" });
    reader.fatal = undefined;
    await reader.round();
    expect(reader.fatal).toBeUndefined();
  });

  test("that never answered is judged by its heartbeat", async () => {
    for (let i = 1; i <= 8; i++) {
      await reader.round("beat");
      expect([reader.alive, reader.watch.problems]).toEqual([i, []]);
    }
    for (let i = 0; i < 3; i++) await reader.round();
    expect([reader.alive, reader.fatal?.code]).toEqual([8, "RAMPART_E_QUEUE_SILENT"]);
  });

  test("is sent nothing while the hooks have no rule for it, and nothing is missed", async () => {
    reader.hasCanary = false;
    await reader.round("beat", "answer");
    const { sent } = reader;
    for (let i = 0; i < 5; i++) await reader.round("beat");
    expect([reader.sent, reader.alive, reader.watch.problems]).toEqual([sent, 6, []]);
  });
});
