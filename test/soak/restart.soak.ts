/** The long form of e2e/restart.test.ts; prints what it counted. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { FAMILIES, Lab } from "../e2e/support/lab.ts";
import {
  expectNothingLost,
  expectNothingUnjudged,
  killOften,
  manage,
  POLICY,
  restartOften,
  restartServiceOften,
  underTraffic,
} from "../e2e/support/restart-scenario.ts";

const RESTARTS = Number(process.env["RAMPART_SOAK_RESTARTS"] ?? 50);
const KILLS = Number(process.env["RAMPART_SOAK_KILLS"] ?? 100);
const policies = { "policy.yaml": POLICY };
const [{ shield }] = FAMILIES as [(typeof FAMILIES)[number]];

let lab: Lab;
let rampart: RampartProcess;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());
afterEach(() => rampart.uninstall());

test(`${RESTARTS} times rampart restart under a storm of connections`, async () => {
  rampart = await startRampart(lab.shield, { policies });
  const traffic = await underTraffic(lab, shield, 32, () => restartOften(rampart, RESTARTS));
  console.log(JSON.stringify(traffic));
  expectNothingLost(traffic);
});

test(`${RESTARTS} times systemctl restart under a storm of connections`, async () => {
  rampart = await startRampart(lab.shield, { policies, ...manage() });
  const traffic = await underTraffic(lab, shield, 32, () => restartServiceOften(rampart, RESTARTS, "SIGHUP"));
  console.log(JSON.stringify(traffic));
  expectNothingLost(traffic);
});

test(`${KILLS} times SIGKILL and a new start under traffic`, async () => {
  rampart = await startRampart(lab.shield, { policies });
  const traffic = await underTraffic(lab, shield, 8, () => killOften(rampart, KILLS));
  console.log(JSON.stringify(traffic));
  expectNothingUnjudged(traffic);
  expect(traffic.connected).toBeGreaterThan(KILLS);
});
