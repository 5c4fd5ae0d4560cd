/** What every table of bad documents expects of each. */
import { expect } from "vitest";
import { loadText, marked } from "./temporary-folder.ts";

/** What is wrong, its code, and the document with `@@` where the error must point. */
export type BadDocument = readonly [what: string, code: string, text: string];

/** One error, with this code, a hint and the marked place; and nothing is loaded from the document. */
export function expectRefused(code: string, source: string): void {
  const { text, line, column } = marked(source);
  const { errors, resources } = loadText(text);
  const found = errors.map((error) => `${error.code} ${error.location?.line}:${error.location?.column}`);
  expect(found).toEqual([`RAMPART_E_${code} ${line}:${column}`]);
  expect(errors[0]?.hint).toMatch(/\w/);
  const { policies, hostEndpoints, workloadEndpoints, networkSets } = resources;
  // A policy whose tier is missing is good as far as it goes.
  expect(policies).toHaveLength(code === "TIER_MISSING" ? 1 : 0);
  expect([...hostEndpoints, ...workloadEndpoints, ...networkSets]).toEqual([]);
}
