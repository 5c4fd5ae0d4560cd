/** The short form of test/soak/reload.soak.ts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "./support/lab.ts";
import { reloadUnderLoad } from "./support/reload-under-load.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("no queued packet is lost while the policy is reloaded over and over", { timeout: 120_000 }, async () => {
  const result = await reloadUnderLoad(lab, { seconds: 3, packetsPerSecond: 600, reloadEveryMs: 100, leastReloads: 5 });
  expect(result.lost).toEqual([]);
  expect(result.kernelDropped).toBe(0);
  expect(result.queued).toBeGreaterThanOrEqual(1800);
  expect(result.reloads.length).toBeGreaterThanOrEqual(5);
});
