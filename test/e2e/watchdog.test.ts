/**
 * Whether anybody reads the queues: the daemon's canaries come back through every one of them, the service manager
 * hears of the daemon only while they do, and a reader that hangs ends the daemon.
 */
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import { openTcp } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "./support/lab.ts";
import { NotifySocket } from "./support/notify-socket.ts";

const POLICY = ETH0 + allowPorts("web", "ingress", 8080);
const FREEZER = fileURLToPath(new URL("support/freeze-readers.pl", import.meta.url));
const ALIVE = "WATCHDOG=1";
const WATCHDOG = { intervalSeconds: 1, patienceSeconds: 5 };
/** Drops the second queue's canary where Rampart does not look: it finds nothing wrong with its own rules. */
const CUT = ["raw", "OUTPUT", "-o", "lo", "-d", "127.82.0.101", "-j", "DROP"];

let lab: Lab;
let manager: NotifySocket;
let rampart: RampartProcess | undefined;

beforeAll(async () => {
  lab = await Lab.create();
});
afterAll(() => lab.destroy());

beforeEach(async () => {
  manager = await NotifySocket.listen(lab.shield);
});
afterEach(async () => {
  await rampart?.uninstall();
  rampart = undefined;
  await manager.close();
});

async function start(settings: Readonly<Record<string, unknown>> = {}): Promise<RampartProcess> {
  rampart = await startRampart(lab.shield, {
    policies: { "policy.yaml": POLICY },
    settings: { datapath: { workers: 2 }, watchdog: WATCHDOG, ...settings },
    env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: "1000000" },
  });
  return rampart;
}

/** iptables on the shield, with the table, a command and a rule. */
async function iptables(command: "-I" | "-D", [table = "", ...rule]: readonly string[]): Promise<void> {
  await lab.shield.run(["iptables", "-w", "-t", table, command, ...rule], { check: true });
}

async function until(what: string, reached: () => Promise<boolean>): Promise<void> {
  await expect.poll(reached, { timeout: 15_000, interval: 100, message: what }).toBe(true);
}

test.each(["connmark", "none"])("with offload %s the service manager hears of the daemon while every queue answers", async (offload) => {
  const daemon = await start({ datapath: { workers: 2, offload } });
  await manager.more(ALIVE, 2);
  expect(manager.count("READY=1")).toBe(1);
  for (const queue of ["100", "101"]) {
    expect(await daemon.metric("rampart_canary_round_trip_seconds", { queue })).toBeGreaterThan(0);
  }
  // They are no packets of anybody's: not judged, not counted.
  expect(await daemon.metric("rampart_packets_total", { direction: "out" })).toBe(0);
  expect(await daemon.metric("rampart_kernel_rule_packets_total", { rule: "output/canary-queued" })).toBeGreaterThan(1);
});

test("the service manager hears nothing while one queue does not answer, and then again", async () => {
  const daemon = await start();
  await manager.more(ALIVE, 1);
  await iptables("-I", CUT);
  try {
    await until("an unhealthy daemon", async () => (await daemon.get("/healthz")).status === 503);
    const heard = manager.count(ALIVE);
    expect(await daemon.get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("queue 101 does not answer") });
    expect(daemon.logs()).toContainEqual(expect.objectContaining({ code: "RAMPART_E_QUEUE_SILENT", queue: 101 }));
    const missed = await daemon.metric("rampart_canary_missed_total", { queue: "101" });
    await until("more of them missed", async () => (await daemon.metric("rampart_canary_missed_total", { queue: "101" })) >= missed + 2);
    expect(manager.count(ALIVE)).toBe(heard);
    // Not the reader's fault, so the daemon does not end itself.
    for (const { shield } of FAMILIES) await expectConnects(lab.client, shield, 8080);
  } finally {
    await iptables("-D", CUT);
  }
  await manager.more(ALIVE, 1);
  await until("a healthy daemon", async () => (await daemon.get("/healthz")).status === 200);
});

test("a canary's rule that somebody deletes is put back, and the daemon stays alive", async () => {
  const daemon = await start();
  await manager.more(ALIVE, 1);
  await lab.shield.run(["iptables", "-w", "-F", "RAMPART-OUTPUT-CANARY"], { check: true });
  await until("a repair", async () => (await daemon.metric("rampart_hooks_repaired_total")) > 0);
  await manager.more(ALIVE, 2);
  await until("a healthy daemon", async () => (await daemon.get("/healthz")).status === 200);
  expect(manager.count("READY=1")).toBe(1);
});

test("a process that is stopped says nothing, and accuses nobody when it goes on", async () => {
  const daemon = await start();
  await manager.more(ALIVE, 1);
  await daemon.signal("SIGSTOP");
  const heard = manager.count(ALIVE);
  try {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(manager.count(ALIVE)).toBe(heard);
  } finally {
    await daemon.signal("SIGCONT");
  }
  await manager.more(ALIVE, 2);
  expect(daemon.running).toBe(true);
});

test("a reader that hangs ends the daemon; open connections go on, and a new daemon takes over", async () => {
  const [{ shield }] = FAMILIES;
  const daemon = await start();
  await manager.more(ALIVE, 1);
  const open = await openTcp(lab.client, shield, 8080);
  expect(await open.exchange("before")).toMatchObject({ line: "before" });
  const { pid } = await daemon.status();
  const freezer = lab.shield.spawn(["perl", FREEZER, String(pid)]);
  try {
    await freezer.waitForOutput(/^frozen\n/);
    const heard = manager.count(ALIVE);
    expect(await daemon.exited()).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(manager.count(ALIVE)).toBeLessThanOrEqual(heard + 1);
    expect(daemon.logs().at(-1)).toMatchObject({ level: "fatal", msg: expect.stringMatching(/reader of queue 10[01] does not move/) });
  } finally {
    await freezer.stop();
  }
  expect(await open.exchange("between")).toMatchObject({ line: "between" });
  await expectConnects(lab.client, shield, 22);
  await expectDropped(lab.client, shield, 8080);
  await daemon.start();
  expect(await open.exchange("after")).toMatchObject({ line: "after" });
  await expectConnects(lab.client, shield, 8080);
  await open.close();
});

describe("canaries that never come back from the start on", () => {
  test.each([
    {
      what: "because a rule of somebody's drops them",
      prevent: () => iptables("-I", CUT),
      allow: () => iptables("-D", CUT),
    },
    {
      what: "because the loopback interface has no address",
      prevent: () => lab.shield.run(["ip", "address", "delete", "127.0.0.1/8", "dev", "lo"], { check: true }),
      allow: () => lab.shield.run(["ip", "address", "add", "127.0.0.1/8", "dev", "lo"], { check: true }),
    },
  ])("accuse no reader, $what", async ({ prevent, allow }) => {
    await prevent();
    try {
      // Nothing to scrape at an address that is not there.
      const daemon = await start({ metrics: { listen: "off" } });
      await daemon.waitForLog("the warning", ({ code }) => code === "RAMPART_W_CANARY", 15_000);
      await manager.more(ALIVE, 1);
      await expectConnects(lab.client, FAMILIES[0].shield, 8080);
    } finally {
      await allow();
    }
  });
});
