/** What a new policy forbids has ended when the reload returns. The short form of test/soak/revocation.soak.ts. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Lab } from "./support/lab.ts";
import { Revocation } from "./support/revocation.ts";

let lab: Lab;
let revocation: Revocation | undefined;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await revocation?.end();
});

test("of 100 flows with both sides speaking, no packet of the forbidden half passes once the reload returned", async () => {
  revocation = await Revocation.start(lab, { flows: 100, intervalMs: 50, watch: false });
  expect(revocation.flows).toBeGreaterThanOrEqual(100);
  const before = await revocation.packets();
  expect(before).toBeGreaterThan(100);
  expect(await revocation.revoke(600)).toEqual({ messages: [], packets: 0 });
});
