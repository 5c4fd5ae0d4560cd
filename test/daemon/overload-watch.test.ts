/** What is said in the log when something is full, and how often. */
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { WorkerCounters } from "../../src/datapath/counters.ts";
import { OverloadWatch } from "../../src/daemon/overload-watch.ts";
import type { ConntrackUsage } from "../../src/metrics/conntrack-usage.ts";

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  const counters = new WorkerCounters();
  const output = { dropped: 0 };
  const kernel = { queue: 100, peerPortId: 1, pending: 0, copyRange: 512, kernelDropped: 0, userDropped: 0 };
  const conntrack: ConntrackUsage = { entries: 10, max: 100, dropped: 5, evicted: 0, insertFailed: 0 };
  const state = { kernel, conntrack: conntrack as ConntrackUsage | undefined };
  const watch = new OverloadWatch({
    log,
    output,
    pool: { queues: [{ queue: 100, counters }] },
    kernelQueues: () => [state.kernel],
    conntrack: () => Promise.resolve(state.conntrack),
  });
  const said = (): unknown[] => lines.splice(0).map(({ overload, lost, queue }) => [overload, lost, queue]);
  return { watch, counters, output, state, said };
}

describe("overload", () => {
  test("is nothing to speak of while nothing is lost, or was lost before we came", async () => {
    const { watch, said } = setUp();
    for (const now of [0, 1000, 200_000]) await watch.look(now);
    expect(said()).toEqual([]);
  });

  test("is said when it begins, then once a minute with what was lost since", async () => {
    const { watch, state, said } = setUp();
    await watch.look(0);
    state.kernel = { ...state.kernel, kernelDropped: 7 };
    await watch.look(1000);
    expect(said()).toEqual([["queue-full", 7, 100]]);
    state.kernel = { ...state.kernel, kernelDropped: 20 };
    await watch.look(2000);
    await watch.look(60_000);
    expect(said()).toEqual([]);
    await watch.look(61_000);
    expect(said()).toEqual([["queue-full", 13, 100]]);
    await watch.look(200_000);
    expect(said()).toEqual([]);
  });

  test("has a line for each thing that is full", async () => {
    const { watch, counters, output, state, said } = setUp();
    await watch.look(0);
    counters.setGauge("enobufs", 3);
    counters.setGauge("eventsLost", 4);
    state.conntrack = { entries: 95, max: 100, dropped: 11, evicted: 1, insertFailed: 0 };
    output.dropped = 8;
    await watch.look(1000);
    expect(said()).toEqual([
      ["receive-buffer-full", 3, 100],
      ["events-lost", 4, 100],
      ["conntrack-full", 6, undefined],
      ["conntrack-nearly-full", undefined, undefined],
      ["log-full", 8, undefined],
    ]);
  });

  test("of a queue that was bound anew counts from there", async () => {
    const { watch, state, said } = setUp();
    state.kernel = { ...state.kernel, kernelDropped: 50 };
    await watch.look(0);
    state.kernel = { ...state.kernel, kernelDropped: 0 };
    await watch.look(1000);
    state.kernel = { ...state.kernel, kernelDropped: 2 };
    await watch.look(2000);
    expect(said()).toEqual([["queue-full", 2, 100]]);
  });

  test("of the log is said again when the line about it was lost itself", async () => {
    const { watch, output, said } = setUp();
    let lost = 0;
    Object.defineProperty(output, "dropped", { get: () => lost++ });
    await watch.look(0);
    await watch.look(1000);
    expect(said()).toHaveLength(1);
    Object.defineProperty(output, "dropped", { get: () => 9 });
    await watch.look(2000);
    expect(said()).toEqual([["log-full", 9, undefined]]);
  });

  test("needs no connection tracking", async () => {
    const { watch, state, said } = setUp();
    state.conntrack = undefined;
    await watch.look(0);
    await watch.look(1000);
    expect(said()).toEqual([]);
  });
});
