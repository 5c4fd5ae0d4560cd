import { describe, expect, test } from "vitest";
import { scenario } from "./namespace.ts";

const run = <T>(name: string, environment?: NodeJS.ProcessEnv): Promise<T> =>
  scenario<T>("queue.mjs", name, environment);

interface Described {
  readonly id: number;
  readonly hook: number;
  readonly inInterface: number;
  readonly outInterface: number;
  readonly mark: number;
  readonly hardwareProtocol: number;
  readonly length: number;
  readonly originalLength: number;
  readonly uid: number;
  readonly bytes: string;
}

describe("verdicts", () => {
  test("ACCEPT lets a packet through and DROP does not, over IPv4 and IPv6", async () => {
    expect(await run("acceptAndDrop")).toEqual(["yes 1", "yes 2"]);
  });

  test("a packet the callback does not decide is dropped and does not stay in the queue", async () => {
    expect(await run("presetIsDrop")).toEqual({ arrived: [], presets: [[0, true], [0, true]] });
  });

  test("a code that is no verdict drops the packet, counted", async () => {
    expect(await run("unknownVerdictDrops")).toEqual({ arrived: [], unanswered: 2 });
  });

  test("REPEAT with a mark meets the rules again, where the mark is seen", async () => {
    expect(await run("repeatWithMark")).toEqual({ arrived: ["four", "six"], packets: 2 });
  });

  test("REPEAT without a rule for the mark comes back with the mark on it", async () => {
    expect(await run("repeatWithoutRule")).toEqual([0, 0xff000001, 0xff000002]);
  });

  test("HOLD answers nothing until send does, in any order; a second verdict is refused and counted", async () => {
    expect(await run("hold")).toEqual({ before: [], arrived: ["second", "third"] });
  });

  test("one message for many packets answers each as it was decided, in runs of any length, with marks or without", async () => {
    const { arrived, expected, stats } = await run<{ arrived: string[]; expected: string[]; stats: { verdictErrors: number } }>(
      "runs",
    );
    expect(expected.length).toBeGreaterThan(100);
    expect(arrived).toEqual(expected);
    expect(stats.verdictErrors).toBe(0);
  });

  test("packets accepted behind a held one do not let it through", async () => {
    const { before, after } = await run<{ before: string[]; after: string[] }>("heldAmongAccepted");
    expect(before).toHaveLength(499);
    expect(before).not.toContain("packet 7");
    expect(after).toHaveLength(500);
    expect(after.at(-1)).toBe("packet 7");
  });

  test("an exception in the callback drops the batch and reaches uncaughtException; the next is served", async () => {
    expect(await run("exception")).toEqual({ arrived: ["fine"], seen: ["bad packet"], unanswered: 1 });
  });
});

describe("batches", () => {
  test("packets that wait come in full batches and in order, and other callbacks get their turn between", async () => {
    const result = await run<{
      largest: number;
      total: number;
      order: boolean;
      beforeImmediate: number;
      stats: { packets: number; batches: number; verdictErrors: number; enobufs: number };
    }>("batches");
    expect(result).toMatchObject({ largest: 64, total: 1000, order: true });
    expect(result.beforeImmediate).toBeLessThanOrEqual(8);
    expect(result.stats).toMatchObject({ packets: 1000, verdictErrors: 0, enobufs: 0 });
    expect(result.stats.batches).toBeGreaterThanOrEqual(16);
  });

  test("metadata tells hook, interfaces, mark, protocol, lengths, user and bytes, for IPv4 and IPv6", async () => {
    const [output, input, output6] = (await run<Described[]>("metadata")) as [Described, Described, Described];
    const hello = Buffer.from("hello").toString("hex");
    expect(output).toMatchObject({
      hook: 3,
      inInterface: 0,
      outInterface: 1,
      mark: 0xdeadbeef,
      hardwareProtocol: 0x0800,
      length: 33,
      originalLength: 33,
      uid: process.getuid?.(),
    });
    expect(output.bytes).toMatch(new RegExp(`^45.*7f0000017f000001.*${hello}$`));
    expect(input).toMatchObject({ hook: 1, inInterface: 1, outInterface: 0, length: 33 });
    expect(input.id).toBeGreaterThan(output.id);
    expect(output6).toMatchObject({ hook: 3, outInterface: 1, hardwareProtocol: 0x86dd, length: 53 });
    expect(output6.bytes).toMatch(new RegExp(`^6.*${"0".repeat(31)}1${"0".repeat(31)}1.*${hello}$`));
  });

  test("a packet longer than the copy range says how long it was", async () => {
    expect(await run("truncation")).toEqual([
      [33, 33],
      [64, 1028],
      [64, 64],
    ]);
  });

  test("with the GSO flag a TCP burst comes as one large packet, without it in segments", async () => {
    const large = await run<{ largest: number; marked: number }>("withGso");
    expect(large.largest).toBeGreaterThan(1500);
    expect(large.marked).toBeGreaterThan(0);
    const small = await run<{ largest: number; marked: number }>("withoutGso");
    expect(small.largest).toBe(1500);
  });
});

describe("overload", () => {
  test("packets that do not fit the receive buffer are counted, each one, and reading goes on", async () => {
    const result = await run<{ enobufs: number; kernelCount: number | null; receiveBuffer: number; packets: number }>(
      "overflow",
    );
    expect(result.enobufs).toBeGreaterThan(0);
    expect(result.kernelCount ?? result.enobufs).toBe(result.enobufs);
    expect(result.receiveBuffer).toBeGreaterThanOrEqual(4096);
    expect(result.packets).toBe(501 - result.enobufs);
  });

  test("with failOpen what does not fit the receive buffer passes, is counted all the same, and what fits is held", async () => {
    const result = await run<{ passed: number; enobufs: number; kernelCount: number | null; held: number }>(
      "overflowFailsOpen",
    );
    expect(result.passed).toBeGreaterThan(0);
    expect(result.held).toBe(500 - result.passed);
    expect(result.enobufs).toBe(result.passed);
    expect(result.kernelCount ?? 0).toBe(0);
  });

  test("a full queue drops, or with failOpen lets the rest through", async () => {
    expect(await run("fullQueueDrops")).toEqual({ before: 0, after: 10 });
    expect(await run("fullQueueFailsOpen")).toBe(40);
  });
});

describe("life of a queue", () => {
  test("close inside the callback stops at once, may be repeated, and the queue can be opened again", async () => {
    expect(await run("closeInCallback")).toEqual({ arrived: ["second"], calls: 1, bound: false });
  });

  test("opening and closing two hundred times leaks no descriptor", async () => {
    expect(await run("reopen")).toEqual({ leaked: 0, arrived: ["still works"] });
  });

  test("a queue nobody holds is unbound by the garbage collector, a started one is kept", async () => {
    const exposeGc = { NODE_OPTIONS: "--expose-gc" };
    expect(await run("collected", exposeGc)).toBe(0);
    expect(await run("startedIsKept", exposeGc)).toEqual(["kept"]);
  });

  test("a method called on another kind of object is a TypeError", async () => {
    expect(await run("wrongReceiver")).toEqual(["ERR_INVALID_THIS", "ERR_INVALID_THIS", "ERR_INVALID_THIS"]);
  });
});
