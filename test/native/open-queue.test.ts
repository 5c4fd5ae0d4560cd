import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RampartError } from "../../src/errors/rampart-error.ts";
import { openQueue } from "../../src/native/open-queue.ts";
import type { NativeQueueOptions } from "../../src/native/binding.ts";
import { CompiledSources, scenario } from "./namespace.ts";

const sources = new CompiledSources();
beforeAll(() => sources.build());
afterAll(() => sources.remove());
const run = <T>(name: string): Promise<T> => scenario<T>("open-queue.mjs", name, sources.environment);

const valid: NativeQueueOptions = {
  queue: 100,
  copyRange: 256,
  maxLength: 4096,
  receiveBuffer: 1 << 20,
  gso: true,
  failOpen: false,
  uidGid: true,
  conntrack: true,
  batch: 64,
  gather: 20,
};

describe("options are checked before the kernel is asked", () => {
  test.each<[Partial<Record<keyof NativeQueueOptions, unknown>>, string]>([
    [{ queue: -1 }, "queue option queue is -1"],
    [{ queue: 65536 }, "queue option queue is 65536"],
    [{ queue: 1.5 }, "queue option queue is 1.5"],
    [{ queue: "100" }, "queue option queue is 100"],
    [{ copyRange: 63 }, "queue option copyRange is 63"],
    [{ copyRange: 65536 }, "queue option copyRange is 65536"],
    [{ maxLength: 0 }, "queue option maxLength is 0"],
    [{ receiveBuffer: Number.NaN }, "queue option receiveBuffer is NaN"],
    [{ batch: 257 }, "queue option batch is 257"],
    [{ batch: undefined }, "queue option batch is undefined"],
    [{ gather: 1001 }, "queue option gather is 1001"],
    [{ failOpen: "yes" }, "queue option failOpen is yes"],
    [{ gso: 1 }, "queue option gso is 1"],
  ])("%o", (wrong, message) => {
    let thrown: unknown;
    try {
      openQueue({ ...valid, ...wrong } as NativeQueueOptions);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RampartError);
    expect(thrown).toMatchObject({ code: "RAMPART_E_QUEUE_OPTIONS", message });
  });
});

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

describe("a queue that is taken", () => {
  test("by another process: the error names it, and the queue is free again once it is gone", async () => {
    const result = await run<{ free: string; refused: Refusal; holder: unknown; pid: number }>("heldByAnother");
    expect(result.free).toBe("nobody");
    expect(result.refused.code).toBe("RAMPART_E_QUEUE_HELD");
    expect(result.refused.message).toBe(`queue 100 is held by process ${result.pid} (node)`);
    expect(result.refused.hint).toContain("another queue number");
    expect(result.holder).toEqual({ pid: result.pid, command: "node" });
  });

  test("by this process: the same error, and the first holder can still close", async () => {
    const result = await run<{ refused: Refusal; pid: number }>("heldByItself");
    expect(result.refused.message).toBe(`queue 100 is held by process ${result.pid} (node)`);
  });
});

test("without CAP_NET_ADMIN the error says so, and the kernel's list reads as empty", async () => {
  const result = await run<{ refused: Refusal; queues: unknown[] }>("withoutRights");
  expect(result.refused.code).toBe("RAMPART_E_PRIVILEGE");
  expect(result.refused.message).toContain("CAP_NET_ADMIN");
  expect(result.queues).toEqual([]);
});

test("the kernel's list of queues, readable to real root, tells what waits and what was dropped", async () => {
  const peerPortId = expect.any(Number) as number;
  const queues = [
    { queue: 100, peerPortId, pending: 10, copyRange: 256, kernelDropped: 5, userDropped: 0 },
    { queue: 7, peerPortId, pending: 0, copyRange: 512, kernelDropped: 0, userDropped: 0 },
  ];
  const readable = process.getuid?.() === 0;
  const seen = await run<{ queue: number }[]>("kernelQueues");
  expect(seen.toSorted((a, b) => b.queue - a.queue)).toEqual(readable ? queues : []);
});
