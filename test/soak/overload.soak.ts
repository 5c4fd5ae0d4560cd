/** The long form of test/e2e/overload.test.ts, and the kernel's connection table filled to its end. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp, tcpConnect } from "../../src/sandbox/probe.ts";
import {
  ADDRESS,
  deniedFloods,
  expectWithstands,
  FloodLab,
  LOW_LIMITS,
  ONE_WORKER,
  OPEN_PORT,
  POLICIES,
  sentBy,
} from "../e2e/support/flood.ts";

const SECONDS = Number(process.env["RAMPART_SOAK_SECONDS"] ?? 60);
const CONNECTIONS_PER_SECOND = 10;
/** Enough to fill a table of the kernel's default size before unanswered datagrams are forgotten after 30 seconds. */
const FILL_SECONDS = 20;
const MINUTE = 60_000;

let lab: FloodLab;
let rampart: RampartProcess | undefined;

beforeAll(async () => {
  lab = await FloodLab.create();
});
afterAll(() => lab?.destroy());
afterEach(async () => {
  await rampart?.uninstall();
  rampart = undefined;
});

async function start(overload: object): Promise<RampartProcess> {
  rampart = await startRampart(lab.shield, { policies: POLICIES, settings: { ...ONE_WORKER, overload } });
  return rampart;
}

describe(`${SECONDS} seconds of a flood of denied packets`, () => {
  test.each(deniedFloods(SECONDS))("from %s: all others connect, memory stays bounded", async (_, rule, flood) => {
    const daemon = await start(LOW_LIMITS);
    const memory = await daemon.metric("process_resident_memory_bytes");
    await expectWithstands({ lab, daemon }, flood, rule, SECONDS * CONNECTIONS_PER_SECOND);
    expect(await daemon.metric("process_resident_memory_bytes")).toBeLessThan(memory + 100 * 1024 * 1024);
  }, SECONDS * 1000 + 5 * MINUTE);
});

test("a full connection table: unanswered connections are given up, open ones go on, it is counted and said", async () => {
  const daemon = await start({ secondLane: false });
  const open = await openTcp(lab.client, ADDRESS, OPEN_PORT);
  expect(await open.exchange("before")).toMatchObject({ line: "before" });
  await sentBy(lab.flood({ port: OPEN_PORT, seconds: FILL_SECONDS, spoofed: true }));
  const [entries, max] = await Promise.all([
    daemon.metric("rampart_conntrack_entries"),
    daemon.metric("rampart_conntrack_entries_max"),
  ]);
  expect(entries / max, `${entries} of ${max} connections`).toBeGreaterThan(0.95);
  const given = await daemon.metric("rampart_conntrack_evicted_total");
  const refused = await daemon.metric("rampart_conntrack_dropped_total");
  expect(given + refused).toBeGreaterThan(0);
  expect(await open.exchange("full")).toMatchObject({ line: "full" });
  await daemon.waitForLog("a table nearly full", (line) => line["overload"] === "conntrack-nearly-full");
  expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 8000 })).toBe("connected");
  await open.close();
}, 3 * MINUTE);
