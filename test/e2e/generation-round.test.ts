/** Generation numbers are used again: what was decided under one of an earlier round means nothing any more. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { generationRound } from "./support/generation-round.ts";
import { Lab } from "./support/lab.ts";

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

test("idle connections that were cut stay so when their number comes again, and idle ones that stay allowed go on", async () => {
  const { generations, revived } = await generationRound(lab, 0xf00);
  expect(generations).toHaveLength(28);
  expect(new Set(generations).size).toBe(14);
  expect(revived).toEqual([]);
});
