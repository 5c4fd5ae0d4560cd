/** A step of a suite as the files a user would have: its policies, and the pods and namespaces they apply to. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadResources } from "../../src/resources/load.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import type { Probe, Step } from "./decode.ts";
import { inventory } from "./decode.ts";

/** Writes the step's documents below `folder` and returns their folder. */
export function writeStep(step: Step, folder: string): string {
  const path = join(folder, step.id.replace("/", "-"));
  mkdirSync(path, { recursive: true });
  const list = (items: readonly object[]): string => JSON.stringify({ apiVersion: "v1", kind: "List", items });
  writeFileSync(join(path, "inventory.yaml"), list(inventory(step.topology)));
  writeFileSync(join(path, "policies.yaml"), step.policies.map((policy) => JSON.stringify(policy)).join("\n---\n"));
  return path;
}

export function loadStep(path: string): ResourceSet {
  const { resources, errors } = loadResources([path]);
  if (errors.length > 0) throw new Error(`${path}: ${errors.map(String).join("; ")}`);
  return resources;
}

interface Disagreement {
  readonly step: Step;
  readonly probe: Probe;
  readonly got: string;
}

/** Fails, with the first of them readable, if there are any. */
export function expectNone(disagreements: readonly Disagreement[]): void {
  if (disagreements.length === 0) return;
  const shown = disagreements.slice(0, 5).map(({ step, probe, got }) => {
    const { from, to, protocol, port, family, expect } = probe;
    const question = `${from} -> ${to} ${protocol}/${port} IPv${family}: expected ${expect}, got ${got}`;
    return `${step.id} (${step.description})\n  ${question}\n  ${JSON.stringify(step.policies)}`;
  });
  throw new Error(`${disagreements.length} disagreements, the first:\n${shown.join("\n")}`);
}

export type { Disagreement };
