/**
 * The suites' expectations as a user checks them, with `rampart explain --batch`: every probe through what the command
 * puts together, and of some sets of policies and pods through the command itself, a process each.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BatchAnswers } from "../../src/explain/batch-answers.ts";
import type { Step } from "./decode.ts";
import { SUITES, suiteSteps } from "./decode.ts";
import type { Disagreement } from "./step-files.ts";
import { expectNone, loadStep, writeStep } from "./step-files.ts";

const MAIN = fileURLToPath(new URL("../../dist/bundle/main.js", import.meta.url));
/** A process for one set in so many. */
const STRIDE = 8;

/** The answers to `lines`, one each, with the policies of a folder. */
type Explain = (policies: string, lines: readonly string[]) => Promise<string[]>;

const byParts: Explain = async (policies, lines) => {
  const answers = new BatchAnswers(loadStep(policies), { node: undefined, hook: undefined });
  return lines.map((line) => answers.answer(line));
};

const byCommand: Explain = async (policies, lines) => {
  const child = spawn(process.execPath, [MAIN, "explain", "--batch", "--policy", policies]);
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rampart-explain-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function disagreements(steps: readonly Step[], explain: Explain): Promise<Disagreement[]> {
  const [first] = steps;
  const probes = steps.flatMap((step) => step.probes.map((probe) => ({ step, probe })));
  const lines = probes.map(({ probe: { from, to, protocol, port, family } }) =>
    JSON.stringify({ from, to, protocol, port, family }),
  );
  const answers = await explain(writeStep(first, folder), lines);
  expect(answers).toHaveLength(probes.length);
  return probes.flatMap(({ step, probe }, index): Disagreement | [] => {
    const got = answers[index];
    return (JSON.parse(got) as { verdict?: string }).verdict === probe.expect ? [] : { step, probe, got };
  });
}

/** Steps of the same policies and pods together: they are one question to one process. */
function bySet(steps: readonly Step[]): Step[][] {
  const groups = new Map<string, Step[]>();
  for (const step of steps) {
    const key = JSON.stringify([step.policies, step.topology]);
    groups.set(key, [...(groups.get(key) ?? []), step]);
  }
  return [...groups.values()];
}

describe("rampart explain --batch", () => {
  const sets = bySet(SUITES.flatMap((suite) => suiteSteps(suite)));

  it("agrees with every probe of every step of both suites", { timeout: 120_000 }, async () => {
    const found: Disagreement[] = [];
    for (const steps of sets) found.push(...(await disagreements(steps, byParts)));
    expectNone(found);
  });

  it("says the same as a process of its own", { timeout: 120_000 }, async () => {
    const found: Disagreement[] = [];
    for (let n = 0; n < sets.length; n += STRIDE) found.push(...(await disagreements(sets[n], byCommand)));
    expectNone(found);
  });
});
