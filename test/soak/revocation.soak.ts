/**
 * Packets of a forbidden flow that pass after the reload returned, of 1,000
 * flows with both sides speaking: none; and with file watching, how long after
 * the rename of the file the last of them was sent: at most 250 ms.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Lab } from "../e2e/support/lab.ts";
import { monotonicMs } from "../e2e/support/reload-under-load.ts";
import { FORBIDDEN_PORT, Revocation } from "../e2e/support/revocation.ts";

const ROUNDS = 5;

let lab: Lab;
let revocation: Revocation | undefined;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(async () => {
  await revocation?.end();
  revocation = undefined;
});

test("1,000 flows, by a reload", async () => {
  revocation = await Revocation.start(lab, { flows: 1000, intervalMs: 250, watch: false });
  for (let round = 1; round <= ROUNDS; round++) {
    const before = await revocation.packets();
    const passed = await revocation.revoke(3000);
    console.log(`round ${round}: ${revocation.flows} flows, ${before} packets before, ${passed.packets} after`);
    expect(passed).toEqual({ messages: [], packets: 0 });
    if (round < ROUNDS) await revocation.restore();
  }
});

test("100 flows, by the rename of a watched file", async () => {
  // Often enough that the last message is close to the last moment at which one could pass.
  revocation = await Revocation.start(lab, { flows: 100, intervalMs: 20, watch: true });
  const delays: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const renamedMs = monotonicMs();
    revocation.writeForbidden(false);
    await pause(1500);
    const latest = await revocation.latest(FORBIDDEN_PORT);
    delays.push(Math.max(...latest.map(({ latestMs }) => latestMs)) - renamedMs);
    await revocation.restore();
  }
  delays.sort((a, b) => a - b);
  const shown = delays.map((delay) => delay.toFixed(0)).join(" ");
  console.log(`last forbidden packet after the rename, ms, ${ROUNDS} times: ${shown}`);
  expect(delays.at(-1)).toBeLessThanOrEqual(250);
});
