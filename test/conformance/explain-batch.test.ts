/**
 * The suites' expectations as a user checks them: `rampart explain --batch`,
 * a process for each set of policies and pods, every probe on standard input.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Step } from "./decode.ts";
import { SUITES, suiteSteps } from "./decode.ts";
import type { Disagreement } from "./step-files.ts";
import { expectNone, writeStep } from "./step-files.ts";

const MAIN = fileURLToPath(new URL("../../dist/bundle/main.js", import.meta.url));
const PROCESSES = 2;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rampart-explain-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The answers to `lines`, one each. */
async function explainBatch(policies: string, lines: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, [MAIN, "explain", "--batch", "--policy", policies]);
  child.stdin.end(lines.map((line) => `${line}\n`).join(""));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n");
}

async function disagreements(steps: readonly Step[]): Promise<Disagreement[]> {
  const [first] = steps;
  const probes = steps.flatMap((step) => step.probes.map((probe) => ({ step, probe })));
  const lines = probes.map(({ probe: { from, to, protocol, port, family } }) =>
    JSON.stringify({ from, to, protocol, port, family }),
  );
  const answers = await explainBatch(writeStep(first, folder), lines);
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
  it(
    "agrees with every probe of every step of both suites",
    async () => {
      const queue = bySet(SUITES.flatMap((suite) => suiteSteps(suite)));
      const found: Disagreement[] = [];
      const work = async (): Promise<void> => {
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) found.push(...(await disagreements(next)));
      };
      await Promise.all(Array.from({ length: PROCESSES }, work));
      expectNone(found);
    },
    300_000,
  );
});
