/** The short form of test/soak/soak.soak.ts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "./support/lab.ts";
import { soak } from "./support/soak.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("mixed traffic with reloads and restarts of every kind: no error", { timeout: 120_000 }, async () => {
  const result = await soak(lab, { seconds: 6, restartSeconds: 0, restartEverySeconds: 1.5, leastSamples: 2 });
  expect(result.traffic.errors).toEqual([]);
  // Every kind of exchange has happened, over both families, in both directions.
  expect(Object.keys(result.traffic.counts)).toHaveLength(29);
  expect(result.restarts).toEqual({ "SIGTERM and start": 1, "rampart restart": 1, "SIGKILL and start": 1 });
  expect(result.errorLines).toEqual([]);
  expect(result.zombies).toBe("");
});
