/** Reading a queue without the event loop: `nextBatch` of the addon, and the calls that end its wait. */
import { describe, expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string, environment?: NodeJS.ProcessEnv): Promise<T> =>
  scenario<T>("next-batch.mjs", name, environment);

describe("nextBatch", () => {
  test("answers what comes", async () => {
    expect(await run("accepts")).toBe(100);
  });

  test("returns when its time is over, with packets and without", async () => {
    expect(await run("returnsInTime")).toEqual({ idle: 0, busy: true });
  });

  test("a packet that nobody decided is dropped", async () => {
    expect(await run("presetIsDrop")).toEqual({ counts: [1, 1, 0], presets: [0, true], arrived: ["fine"] });
  });

  test("an exception that a thread does not catch ends it, and the queue is free", async () => {
    expect(await run("exceptionInThread")).toEqual({ message: "bad packet", bound: false });
  });

  test("a queue closed with a batch in hand is free", async () => {
    expect(await run("closeWithBatch")).toEqual({ count: 1, afterwards: 0, bound: false });
  });

  test("a queue is read in one way only", async () => {
    expect(await run("oneReader")).toBe("ERR_INVALID_STATE");
  });

  test("keeps its queue as long as it is kept itself", async () => {
    const exposeGc = { NODE_OPTIONS: "--expose-gc" };
    expect(await run("collected", exposeGc)).toEqual({ kept: [0, true], bound: false });
  });
});

describe("a thread that would wait for ever is woken", () => {
  test("for each of two thousand messages, when there is no traffic", async () => {
    expect(await run("wakeIdle")).toEqual({ answered: 2000, inOrder: true });
  });

  test("for each of five hundred messages, while packets never stop", async () => {
    expect(await run("wakeBusy")).toEqual({ answered: 500, inOrder: true, servedMeanwhile: true });
  });

  test("once for all messages that were posted before", async () => {
    expect(await run("wakeOnce")).toBe(true);
  });

  test("to be terminated, idle or busy, and the queue is free", async () => {
    expect(await run("terminateIdle")).toBe(false);
    expect(await run("terminateBusy")).toBe(false);
  });
});

describe("a thread of the daemon", () => {
  test("has its timers while packets never stop", async () => {
    expect(await run("timersWhileBusy")).toBe(true);
  });

  test("does not keep the process when the main thread exits", async () => {
    expect(await run("exitWhileServing")).toBe(true);
  });

  test("does not keep the process when the main thread has an exception", async () => {
    expect(await run("uncaughtWhileServing")).toEqual({ status: 1, said: true, bound: false });
  });
});

test("the kernel refuses what other programs send to the queue's socket", async () => {
  expect(await run("stranger")).toEqual({ sockets: 1, sent: ["refused"], packets: 1, malformed: 0 });
});
