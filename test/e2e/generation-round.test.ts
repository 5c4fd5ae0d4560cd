/** Generation numbers are used again: what was decided under one of an earlier round means nothing any more. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { generationRound } from "./support/generation-round.ts";
import { Lab } from "./support/lab.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("idle connections stay cut when their number comes again, allowed ones go on", { timeout: 120_000 }, async () => {
  const { generations, revived } = await generationRound(lab, 0xf00);
  expect(generations).toHaveLength(28);
  expect(new Set(generations).size).toBe(14);
  expect(revived).toEqual([]);
});
