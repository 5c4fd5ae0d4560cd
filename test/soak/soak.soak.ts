/**
 * Ten minutes, or RAMPART_SOAK_MINUTES, of mixed traffic with a reload every
 * second; in the first part of it the daemon is restarted in every way. The
 * memory of the last process stays flat after its warm-up, and nothing fails.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../e2e/support/lab.ts";
import { medianOf, soak } from "../e2e/support/soak.ts";

const MINUTES = Number(process.env["RAMPART_SOAK_MINUTES"] ?? 10);
/** Warm-up goes with the reloads a process has seen: of ten minutes, about the first 140. */
const WARM = [0.4, 0.6] as const;
const LAST = [0.8, 1] as const;
/** What the collector may have not got round to when it was looked at. */
const GROWTH = 1.05;
const DESCRIPTORS = 3;

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test(`${MINUTES} minutes`, { timeout: (3 * MINUTES + 3) * 60_000 }, async () => {
  const seconds = Math.round(MINUTES * 60);
  const leastSamples = Math.floor(seconds / 2);
  const result = await soak(lab, { seconds, restartSeconds: seconds * 0.4, restartEverySeconds: 8, leastSamples });
  const { traffic, samples, restarts, reloads } = result;
  const memory = samples.map(({ residentMiB }) => residentMiB);
  const descriptors = samples.map((sample) => sample.descriptors);
  console.log(`reloads ${reloads}, restarts ${JSON.stringify(restarts)}`);
  console.log(`exchanges ${JSON.stringify(traffic.counts, null, 2)}`);
  console.log(`tried again in a gap ${JSON.stringify(traffic.retried)}`);
  const windows = Array.from({ length: 12 }, (_, index) => medianOf(memory, index / 12, (index + 1) / 12).toFixed(1));
  console.log(`resident MiB of the last process, medians of twelfths of its ${samples.length} reloads: ${windows.join(" ")}`);
  console.log(`descriptors: ${medianOf(descriptors, ...WARM)} then ${medianOf(descriptors, ...LAST)}`);
  expect(traffic.errors).toEqual([]);
  expect(result.errorLines).toEqual([]);
  expect(result.zombies).toBe("");
  expect(medianOf(memory, ...LAST)).toBeLessThanOrEqual(medianOf(memory, ...WARM) * GROWTH);
  expect(medianOf(descriptors, ...LAST)).toBeLessThanOrEqual(medianOf(descriptors, ...WARM) + DESCRIPTORS);
});
