/** The npm package behind the addon's contract: the same scenarios as test/native/queue.test.ts, on the same packets. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { scenario } from "../native/namespace.ts";
import { packageLoads } from "./package-loads.ts";

const run = <T>(name: string): Promise<T> => scenario<T>("queue.mjs", name, { RAMPART_TEST_BACKEND: "nfqueue" });

describe.runIf(packageLoads)("the queue over the npm package", () => {
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
    expect(await run("repeatWithoutRule")).toEqual([0, 0xff000001, 0xff000002]);
  });

  test("an exception in the callback drops the packet and reaches uncaughtException; the next is served", async () => {
    expect(await run("exception")).toEqual({ arrived: ["fine"], seen: ["bad packet"], unanswered: 1 });
  });

  test("packets come one by one, in order, all of them", async () => {
    const result = await run<{ largest: number; total: number; order: boolean; stats: { enobufs: number } }>("batches");
    expect(result).toMatchObject({ largest: 1, total: 1000, order: true });
    expect(result.stats.enobufs).toBe(0);
  });

  test("hook, interfaces, mark, protocol and lengths are told, though the package has not all of them", async () => {
    const [output, input, output6] = await run<object[]>("metadata");
    const lengths = { length: 33, originalLength: 33 };
    expect(output).toMatchObject({ hook: 3, inInterface: 0, outInterface: 1, mark: 0xdeadbeef, ...lengths });
    expect(output).toMatchObject({ hardwareProtocol: 0x0800 });
    expect(input).toMatchObject({ hook: 1, inInterface: 1, outInterface: 0, ...lengths });
    expect(output6).toMatchObject({ hook: 3, outInterface: 1, hardwareProtocol: 0x86dd, length: 53 });
  });

  test("a packet before routing and one after it are told from INPUT and OUTPUT", async () => {
    expect(await run("aroundRouting")).toEqual([4, 0]);
  });

  test("a packet longer than the copy range says how long it was", async () => {
    expect(await run("truncation")).toEqual([
      [33, 33],
      [64, 1028],
      [64, 64],
    ]);
  });

  test("a large packet never makes a message the package would cut, which would leave it without a verdict", async () => {
    const { largest } = await run<{ largest: number }>("withGso");
    expect(largest).toBeGreaterThan(1500);
    expect(largest).toBeLessThanOrEqual(64_000);
    expect(await run<{ largest: number }>("withoutGso")).toMatchObject({ largest: 1500 });
  });

  test("packets that do not fit the receive buffer are counted, each one, and reading goes on", async () => {
    const result = await run<{ enobufs: number; kernelCount: number | null; packets: number }>("overflow");
    expect(result.enobufs).toBeGreaterThan(0);
    expect(result.kernelCount ?? result.enobufs).toBe(result.enobufs);
    expect(result.packets).toBe(501 - result.enobufs);
  });

  test("the queue's length and failOpen hold: a full queue drops, or lets the rest through", async () => {
    expect(await run("fullQueueDrops")).toEqual({ before: 0, after: 10 });
    expect(await run("fullQueueFailsOpen")).toBe(40);
  });

  test("close inside the callback stops at once, may be repeated, and the queue can be opened again", async () => {
    expect(await run("closeInCallback")).toEqual({ arrived: ["second"], calls: 1, bound: false });
  });

  test("a queue that another socket has, and a wrong option, are refused in the addon's words", async () => {
    expect(await run("refusals")).toEqual(["RAMPART_E_QUEUE_HELD", "RAMPART_E_QUEUE_OPTIONS"]);
  });
});

test("without the package, the error says what to install", () => {
  const folder = mkdtempSync(join(tmpdir(), "rampart-nfqueue-"));
  try {
    // Where no node_modules is in sight.
    for (const part of ["nfqueue", "native", "errors"]) {
      cpSync(fileURLToPath(new URL(`../../dist/${part}`, import.meta.url)), join(folder, part), { recursive: true });
    }
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
    const script = `import { loadNfqueue } from "./nfqueue/package.js";
      try { loadNfqueue(); } catch ({ code, hint }) { console.log(code, hint); }`;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: folder, encoding: "utf8" });
    expect(output).toMatch(/^RAMPART_E_NFQUEUE_MISSING install .*libnetfilter-queue-dev.*npm install nfqueue/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
