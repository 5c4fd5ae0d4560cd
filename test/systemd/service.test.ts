/**
 * rampart.service under the systemd of this machine, booted in namespaces of its own (boot.sh), installed as the unit's
 * head says: the unit's user, seccomp filter, descriptor store, watchdog and restarts, on real packets.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { SandboxProcess } from "../../src/sandbox/process.ts";
import { allowPorts } from "../e2e/support/documents.ts";
import { expectConnects, expectDropped, FAMILIES, Lab } from "../e2e/support/lab.ts";
import {
  ALLOWED,
  DENIED,
  expectNothingLost,
  expectNothingUnjudged,
  POLICY,
  underTraffic,
} from "../e2e/support/restart-scenario.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const BOOT = fileURLToPath(new URL("boot.sh", import.meta.url));
const [{ shield: ADDRESS }] = FAMILIES;
/** Somebody listens there. */
const OTHER = 8081;
const RESTARTS = 3;
const CHANGE = { timeout: 20_000, interval: 50 };
const WATCHDOG_SECONDS = 3;

/** Root in no user namespace, a systemd, and a cgroup tree to write to. */
function canBoot(): boolean {
  try {
    accessSync("/lib/systemd/systemd", constants.X_OK);
  } catch {
    return false;
  }
  const script = "mount --make-rprivate / && mkdir -p $0 && mount -t cgroup2 cgroup2 $0 && mkdir $0/x && rmdir $0/x";
  const directory = mkdtempSync(join(tmpdir(), "rampart-cgroup-"));
  try {
    return spawnSync("unshare", ["-mn", "sh", "-c", script, directory]).status === 0;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The repository is not hidden by the unit's ProtectHome. */
const isSeen = !/^\/(home|root|run\/user)\//.test(`${REPOSITORY}/`);

describe.runIf(canBoot() && isSeen)("rampart.service under systemd", () => {
  let lab: Lab;
  let systemd: SandboxProcess;
  let directory: string;
  let pid: string;

  /** Runs a command where systemd is process 1. */
  async function inside(...argv: readonly string[]): Promise<string> {
    const entered = ["nsenter", "-t", pid, "-m", "-p", "-u", "-i", "-C", "--", ...argv];
    return (await lab.shield.run(entered, { check: true, timeout: 60_000 })).stdout;
  }
  const write = (path: string, text: string): Promise<string> => inside("sh", "-c", 'printf %s "$1" >"$0"', path, text);
  const show = async (name: string): Promise<string> =>
    (await inside("systemctl", "show", "--value", `--property=${name}`, "rampart")).trim();
  /** Queue number to the socket that has it. */
  const sockets = async (): Promise<string[]> =>
    (await inside("cat", "/proc/net/netfilter/nfnetlink_queue")).trim().split("\n").map((line) => line.trim().split(/\s+/, 2).join(" "));
  const isReady = async (): Promise<boolean> => (await show("ActiveState")) === "active" && (await show("SubState")) === "running";

  beforeAll(async () => {
    lab = await Lab.create({ machineUsers: true });
    directory = mkdtempSync(join(tmpdir(), "rampart-systemd-"));
    systemd = lab.shield.spawn(["sh", BOOT, REPOSITORY, directory]);
    [, pid = ""] = await systemd.waitForOutput(/^systemd (\d+)$/m);
    await vi.waitFor(() => inside("systemctl", "is-system-running", "--wait"), CHANGE);
    await write("/etc/rampart/rampart.yaml", "node: shield\npolicy: {watch: false}\n");
    await write("/etc/rampart/policy.d/policy.yaml", POLICY);
    await inside("systemctl", "start", "rampart");
  }, 60_000);
  afterAll(async () => {
    if (pid !== undefined) await lab?.shield.run(["kill", "-KILL", pid]);
    await systemd?.exited;
    await lab?.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  test("enforces as the user rampart, with its two capabilities and a system call filter", async () => {
    const status = await inside("cat", `/proc/${await show("MainPID")}/status`);
    const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
    const user = (await inside("id", "-u", "rampart")).trim();
    expect(user).not.toBe("0");
    expect(field("Uid").split("\t")).toEqual([user, user, user, user]);
    for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) expect(field(set)).toBe("0000000000003000");
    expect([field("NoNewPrivs"), field("Seccomp")]).toEqual(["1", "2"]);
    for (const { shield } of FAMILIES) {
      await expectConnects(lab.client, shield, ALLOWED);
      await expectDropped(lab.client, shield, DENIED);
    }
    expect(await inside("rampart", "status")).toMatch(/enforcing/);
  });

  test("systemctl restart refuses nothing: the new process goes on with the queues' sockets", async () => {
    const before = { sockets: await sockets(), pid: await show("MainPID") };
    expect(Number(await show("NFileDescriptorStore"))).toBe(before.sockets.length);
    const traffic = await underTraffic(lab, ADDRESS, 16, async () => {
      for (let n = 0; n < RESTARTS; n++) await inside("systemctl", "restart", "rampart");
    });
    expectNothingLost(traffic);
    expect(await sockets()).toEqual(before.sockets);
    expect(await show("MainPID")).not.toBe(before.pid);
  });

  test("rampart restart refuses nothing, and systemd follows it to the new process", async () => {
    const before = { sockets: await sockets(), pid: await show("MainPID") };
    expectNothingLost(await underTraffic(lab, ADDRESS, 16, async () => void (await inside("rampart", "restart"))));
    expect(await sockets()).toEqual(before.sockets);
    expect(await show("MainPID")).not.toBe(before.pid);
    expect(await isReady()).toBe(true);
    expect(await show("NRestarts")).toBe("0");
  });

  test("a crash is a restart, with the same sockets, and lets nothing pass unjudged", async () => {
    const before = { sockets: await sockets(), restarts: Number(await show("NRestarts")) };
    const traffic = await underTraffic(lab, ADDRESS, 8, async () => {
      await inside("systemctl", "kill", "--signal=SIGKILL", "rampart");
      await expect.poll(async () => Number(await show("NRestarts")), CHANGE).toBe(before.restarts + 1);
      await expect.poll(isReady, CHANGE).toBe(true);
    });
    expectNothingUnjudged(traffic);
    expect(await sockets()).toEqual(before.sockets);
  });

  test("systemctl reload is done when the policy is in force, and fails where it has errors", async () => {
    await write("/etc/rampart/policy.d/policy.yaml", POLICY + allowPorts("more", "ingress", OTHER));
    await expectDropped(lab.client, ADDRESS, OTHER);
    await inside("systemctl", "reload", "rampart");
    await expectConnects(lab.client, ADDRESS, OTHER);
    await write("/etc/rampart/policy.d/policy.yaml", "kind: GlobalNetworkPolicy\n");
    await expect(inside("systemctl", "reload", "rampart")).rejects.toThrow(/reload rampart failed/);
    await expectConnects(lab.client, ADDRESS, OTHER);
    await write("/etc/rampart/policy.d/policy.yaml", POLICY);
    await inside("systemctl", "reload", "rampart");
    await expectDropped(lab.client, ADDRESS, OTHER);
  });

  test("a daemon that hangs is ended by systemd's watchdog and started again", async () => {
    await inside("mkdir", "-p", "/run/systemd/system/rampart.service.d");
    await write("/run/systemd/system/rampart.service.d/watchdog.conf", `[Service]\nWatchdogSec=${WATCHDOG_SECONDS}\n`);
    await inside("systemctl", "daemon-reload");
    await inside("systemctl", "restart", "rampart");
    const restarts = Number(await show("NRestarts"));
    await inside("kill", "-STOP", await show("MainPID"));
    await expect.poll(async () => Number(await show("NRestarts")), CHANGE).toBe(restarts + 1);
    await expect.poll(isReady, CHANGE).toBe(true);
    await expectConnects(lab.client, ADDRESS, ALLOWED);
    await expectDropped(lab.client, ADDRESS, DENIED);
  });

  test("systemctl stop lets go of the sockets and leaves the hooks: what is new waits, failsafe passes", async () => {
    await inside("systemctl", "stop", "rampart");
    expect(await show("ActiveState")).toBe("inactive");
    expect(await sockets()).toEqual([""]);
    await expectDropped(lab.client, ADDRESS, ALLOWED);
    await expectConnects(lab.client, ADDRESS, 22);
    await inside("systemctl", "start", "rampart");
    await expectConnects(lab.client, ADDRESS, ALLOWED);
  });
});
