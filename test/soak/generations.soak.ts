/** All generation numbers of the default mask, twice. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { DEFAULT_MARK_MASKS } from "../../src/hooks/marks.ts";
import { generationRound } from "../e2e/support/generation-round.ts";
import { Lab } from "../e2e/support/lab.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("254 numbers", async () => {
  const { generations, revived } = await generationRound(lab, DEFAULT_MARK_MASKS.connection);
  console.log(`${generations.length} generations, ${new Set(generations).size} numbers`);
  expect(new Set(generations).size).toBe(254);
  expect(revived).toEqual([]);
});
