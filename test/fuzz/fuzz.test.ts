/**
 * The short form of `npm run fuzz`: each target with a fixed number of inputs
 * under a new seed. A failure names what repeats it; docs/fuzzing.md says how.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileHarness, HARNESSES, runReplay } from "./native-harness.ts";
import { runTarget } from "./run-target.ts";
import { TARGETS } from "./targets.ts";

const seed = 1 + Math.floor(Math.random() * (2 ** 31 - 1));

describe("anything at all, given to", () => {
  it.each(TARGETS)("$name: nothing breaks", { timeout: 120_000 }, (target) => {
    const options = { seed, first: 0, inputs: target.shortRun, seconds: Infinity };
    const { inputs, wellFormed, crash } = runTarget(target, options);
    const found = crash && `npm run fuzz -- --target ${target.name} --seed ${seed} --first ${crash.input} --inputs 1
${crash.message}
${crash.shown}`;
    expect(found).toBeUndefined();
    expect(inputs).toBe(target.shortRun);
    // Neither only what is refused at the first glance, nor only what is good.
    expect(wellFormed, `seed ${seed}`).toBeGreaterThan(inputs / 200);
    expect(wellFormed, `seed ${seed}`).toBeLessThan(inputs - inputs / 200);
  });
});

describe("any bytes at all, given to the addon's parser, under sanitizers", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "rampart-fuzz-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(HARNESSES)("$name: nothing is read or written outside", { timeout: 300_000 }, async (harness) => {
    const program = await compileHarness(harness, "replay", folder);
    const { inputs, failure } = await runReplay(harness, program, { seed, first: 0, count: harness.shortRun });
    expect(failure).toBeUndefined();
    expect(inputs).toBeGreaterThan(harness.shortRun);
  });
});
