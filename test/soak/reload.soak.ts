/** Queued packets that are lost while the policy is reloaded every 100 ms for 30 s: none of at least 10,000. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../e2e/support/lab.ts";
import { reloadUnderLoad } from "../e2e/support/reload-under-load.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("30 s of reloads under load", async () => {
  const load = { seconds: 30, packetsPerSecond: 700, reloadEveryMs: 100, leastReloads: 100 };
  const result = await reloadUnderLoad(lab, load);
  const took = result.reloads.map(({ beganMs, endedMs }) => endedMs - beganMs).toSorted((a, b) => a - b);
  const median = took[took.length >> 1] ?? 0;
  console.log(
    `sent ${result.sent}, queued ${result.queued}, lost ${result.lost.length}, reloads ${took.length} ` +
      `(median ${median.toFixed(0)} ms, longest ${(took.at(-1) ?? 0).toFixed(0)} ms)`,
  );
  expect(result.lost).toEqual([]);
  expect(result.kernelDropped).toBe(0);
  expect(result.queued).toBeGreaterThanOrEqual(10_000);
});
