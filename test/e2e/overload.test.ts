/**
 * Too much of something: floods of denied packets, a queue and a socket buffer
 * that are full, a log and a tap that nobody reads. What is lost is counted and
 * said, what was open goes on, and everybody else connects. Counts decide, not
 * times.
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess, SettingsOverlay } from "../../src/sandbox/daemon.ts";
import { openTcp, tcpConnect } from "../../src/sandbox/probe.ts";
import {
  ADDRESS,
  CLOSED_PORT,
  deniedFloods,
  expectAllAccountedFor,
  expectAllConnect,
  expectWithstands,
  type Flood,
  FloodLab,
  LOW_LIMITS,
  lostToQueues,
  ONE_WORKER,
  OPEN_PORT,
  POLICIES,
  SECOND_LANE,
  sentBy,
} from "./support/flood.ts";

const CONNECTIONS = 20;

let lab: FloodLab;
let rampart: RampartProcess | undefined;

beforeAll(async () => {
  lab = await FloodLab.create();
});
afterAll(() => lab?.destroy());
afterEach(async () => {
  await rampart?.signal("SIGCONT");
  await rampart?.uninstall();
  rampart = undefined;
});

/** The daemon on the lab's host; settings of a section are laid over those of one worker. */
function launch(settings: SettingsOverlay, wrapper: readonly string[] = []): Promise<RampartProcess> {
  const queue = { ...ONE_WORKER.queue, ...(settings["queue"] as object | undefined) };
  return startRampart(lab.shield, { policies: POLICIES, settings: { ...ONE_WORKER, ...settings, queue }, wrapper });
}

/** The same, until the test ends. */
async function start(settings: SettingsOverlay = {}, wrapper: readonly string[] = []): Promise<RampartProcess> {
  rampart = await launch(settings, wrapper);
  return rampart;
}

describe("a flood of denied packets", () => {
  let daemon: RampartProcess;

  beforeAll(async () => {
    daemon = await launch({ overload: LOW_LIMITS });
  });
  afterAll(() => daemon?.uninstall());

  test.each(deniedFloods(1))("from %s: waits in the second lane, all others connect, nothing of it is delivered", async (_, rule, flood) => {
    await expectWithstands({ lab, daemon }, flood, rule, CONNECTIONS);
  });
});

test("a source that is fast and allowed is judged in the second lane, and nothing is lost", async () => {
  const daemon = await start({ overload: { sourcePerSecond: 1 } });
  for (let n = 0; n < CONNECTIONS; n++) {
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 8000 })).toBe("connected");
  }
  await expectAllAccountedFor(daemon);
  expect(await daemon.metric("rampart_queue_packets_total", { queue: SECOND_LANE })).toBeGreaterThan(0);
  expect(await lostToQueues(daemon)).toBe(0);
});

test("a kernel without xt_hashlimit is protected without a second lane, and the log says so", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rampart-iptables-"));
  try {
    const names = ["iptables", "ip6tables"];
    for (const program of names.flatMap((name) => ["restore", "nft-restore", "legacy-restore"].map((end) => `${name}-${end}`))) {
      const refuse = 'case $rules in *hashlimit*) echo "no hashlimit" >&2; exit 2;; esac';
      const script = ["#!/bin/sh", "rules=$(cat)", refuse, `printf '%s\\n' "$rules" | /usr/sbin/${program} "$@"`, ""].join("\n");
      writeFileSync(join(directory, program), script, { mode: 0o755 });
    }
    const daemon = await start({}, ["env", `PATH=${directory}:/usr/sbin:/usr/bin:/sbin:/bin`]);
    await daemon.waitForLog("the missing lane", (line) => line["code"] === "RAMPART_W_NO_SECOND_LANE");
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT)).toBe("connected");
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT + 1, { timeoutMs: 400 })).toBe("timeout");
    const { stdout } = await lab.shield.run(["iptables-save", "-t", "filter"], { check: true });
    expect(stdout).toContain("RAMPART-INPUT-ASK");
    expect(stdout).not.toContain("hashlimit");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

describe("with the daemon stopped in its tracks", () => {
  const burst: Flood = { port: CLOSED_PORT, seconds: 0.3 };

  test("a full queue drops and counts, says so, and holds up nothing that was decided", async () => {
    const daemon = await start({ queue: { maxLength: 64 }, overload: { secondLane: false } });
    const open = await openTcp(lab.client, ADDRESS, OPEN_PORT);
    expect(await open.exchange("before")).toMatchObject({ line: "before" });
    const before = await lab.delivered();
    await daemon.signal("SIGSTOP");
    const sent = await sentBy(lab.flood(burst));
    expect(await open.exchange("full")).toMatchObject({ line: "full" });
    expect(await tcpConnect(lab.client, ADDRESS, 22)).toBe("connected");
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 400 })).toBe("timeout");
    await daemon.signal("SIGCONT");
    await expectAllAccountedFor(daemon);
    const lost = await lostToQueues(daemon);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThanOrEqual(sent + 10);
    expect(await lab.delivered()).toBe(before);
    await daemon.waitForLog("a full queue", (line) => line["overload"] === "queue-full");
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 8000 })).toBe("connected");
    await open.close();
  });

  test("with failOpen a full queue lets pass what it cannot hold, and the rules' count shows it", async () => {
    const daemon = await start({ queue: { maxLength: 64, failOpen: true }, overload: { secondLane: false } });
    const before = await lab.delivered();
    await daemon.signal("SIGSTOP");
    await sentBy(lab.flood(burst));
    const passed = (await lab.delivered()) - before;
    expect(passed).toBeGreaterThan(0);
    await daemon.signal("SIGCONT");
    await expect.poll(() => daemon.metric("rampart_queue_pending_packets"), { timeout: 10_000 }).toBe(0);
    await expect.poll(() => daemon.metric("rampart_unread_packets"), { timeout: 10_000 }).toBe(passed);
    expect(await lostToQueues(daemon)).toBe(0);
  });

  test("a full socket buffer drops and counts, and says so", async () => {
    const queue = { maxLength: 100_000, receiveBuffer: 65_536 };
    const daemon = await start({ queue, overload: { secondLane: false } });
    const before = await lab.delivered();
    await daemon.signal("SIGSTOP");
    await sentBy(lab.flood(burst));
    await daemon.signal("SIGCONT");
    await expect.poll(() => daemon.metric("rampart_queue_enobufs_total"), { timeout: 10_000 }).toBeGreaterThan(0);
    await daemon.waitForLog("a full buffer", (line) => line["overload"] === "receive-buffer-full");
    await expect.poll(() => daemon.metric("rampart_unread_packets"), { timeout: 10_000 }).toBe(0);
    expect(await lab.delivered()).toBe(before);
    expect(await tcpConnect(lab.client, ADDRESS, OPEN_PORT, { timeoutMs: 8000 })).toBe("connected");
  });
});

describe("readers that do not read", () => {
  const chatter: Flood = { port: 0, seconds: 1, spoofed: true };

  test("a log nobody reads holds up nothing: lines are dropped and counted, and the daemon stops when told to", async () => {
    const directory = mkdtempSync(join(tmpdir(), "rampart-log-"));
    const fifo = join(directory, "log");
    execFileSync("mkfifo", [fifo]);
    // Has it open for reading, and never reads.
    const reader = spawn("sh", ["-c", 'exec sleep 120 <"$0"', fifo], { stdio: "ignore" });
    try {
      const log = { level: "debug", deniedPerSecond: 1_000_000 };
      const intoFifo = ["sh", "-c", `exec "$0" "$@" >${fifo}`];
      const daemon = await start({ log, overload: { secondLane: false } }, intoFifo);
      const running = lab.flood(chatter);
      await expectAllConnect(lab, CONNECTIONS, running);
      await sentBy(running);
      await expect.poll(() => daemon.metric("rampart_log_dropped_total"), { timeout: 10_000 }).toBeGreaterThan(0);
      await daemon.changePolicy(() => daemon.writePolicy("open.yaml", POLICIES["open.yaml"].replace("8080", "8081")));
      expect((await daemon.status())["state"]).toBe("enforcing");
      await daemon.signal("SIGTERM");
      expect(await daemon.exited()).toEqual({ code: 0, signal: null });
    } finally {
      reader.kill();
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test("a tap nobody reads holds up nothing: what it misses is counted, and memory stays bounded", async () => {
    const daemon = await start({ overload: { secondLane: false } });
    const argv = [process.execPath, "dist/bundle/main.js", "tap", "-n", "--config", daemon.configFile];
    const tap = lab.shield.spawn(argv);
    try {
      await expect.poll(() => daemon.metric("rampart_tap_subscribers"), { timeout: 10_000 }).toBe(1);
      await tap.signal("SIGSTOP");
      const memory = await daemon.metric("process_resident_memory_bytes");
      const running = lab.flood(chatter);
      await expectAllConnect(lab, CONNECTIONS, running);
      await sentBy(running);
      await expectAllAccountedFor(daemon);
      expect(await daemon.metric("rampart_tap_lost_total")).toBeGreaterThan(0);
      expect(await daemon.metric("process_resident_memory_bytes")).toBeLessThan(memory + 150 * 1024 * 1024);
    } finally {
      await tap.signal("SIGCONT");
      await tap.stop();
    }
  });
});
