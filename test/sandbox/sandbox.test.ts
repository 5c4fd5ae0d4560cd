import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Host } from "../../src/sandbox/host.ts";
import { ping } from "../../src/sandbox/probe.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";

const ABANDONED = fileURLToPath(new URL("fixtures/abandoned-sandbox.mjs", import.meta.url));
const BUILT_SANDBOX = new URL("../../dist/sandbox/sandbox.js", import.meta.url).href;

/** Processes of the whole machine that have the mark in their environment. */
function processesMarked(mark: string): number[] {
  return readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`RAMPART_TEST_MARK=${mark}\0`);
    } catch {
      return false;
    }
  });
}

describe("a sandbox of two hosts", () => {
  let sandbox: Sandbox;
  let left: Host;
  let right: Host;

  beforeAll(async () => {
    sandbox = await Sandbox.create();
    left = await sandbox.host("left");
    right = await sandbox.host("right");
    await sandbox.link(left, right, {
      addresses: [
        ["10.1.0.1/24", "fd01::1/64"],
        ["10.1.0.2/24", "fd01::2/64"],
      ],
    });
  });
  afterAll(() => sandbox.destroy());

  test.each(["10.1.0.2", "fd01::2"])("reaches the other host at %s at once", async (address) => {
    expect(await ping(left, address)).toBe("answered");
  });

  test("a host has its own network, not the machine's", async () => {
    const inside = await left.run(["readlink", "/proc/self/ns/net"], { check: true });
    expect(inside.stdout.trim()).not.toBe(readlinkSync("/proc/self/ns/net"));
    const links = await left.run(["ip", "-o", "link"], { check: true });
    expect([...links.stdout.matchAll(/^\d+: (\w+)/gm)].map((match) => match[1])).toEqual(["lo", "eth0"]);
  });

  test("a command's exit code, output and input are its own", async () => {
    const result = await left.run(["sh", "-c", "cat; echo problem >&2; exit 3"], { input: "hello" });
    expect(result).toEqual({ code: 3, stdout: "hello", stderr: "problem\n" });
  });

  test("check turns a failure into an error that carries what was printed", async () => {
    const failing = left.run(["sh", "-c", "echo broken >&2; exit 3"], { check: true });
    await expect(failing).rejects.toMatchObject({ code: "RAMPART_E_SANDBOX_COMMAND", hint: "broken" });
  });

  test("a command that hangs is killed at its timeout", async () => {
    const hanging = left.run(["sleep", "100"], { check: true, timeout: 100 });
    await expect(hanging).rejects.toThrow(/did not end within 100 ms/);
  });

  test("a command costs well under 50 ms", async () => {
    await left.run(["true"]);
    const times: number[] = [];
    for (let run = 0; run < 11; run++) {
      const start = performance.now();
      await left.run(["true"]);
      times.push(performance.now() - start);
    }
    expect(times.toSorted((a, b) => a - b)[5]).toBeLessThan(50);
  });

  test("a signal reaches the process inside and its end is told", async () => {
    const script = "trap 'echo got it; exit 7' USR1; echo waiting; while :; do sleep 0.01; done";
    const shell = left.spawn(["sh", "-c", script]);
    await shell.waitForOutput(/waiting/);
    await shell.signal("SIGUSR1");
    expect(await shell.exited).toEqual({ code: 7, signal: null });
    expect(shell.stdout).toContain("got it");
    const sleeper = left.spawn(["sleep", "100"]);
    await sleeper.signal("SIGKILL");
    expect(await sleeper.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("waiting for output that never comes says what was printed instead", async () => {
    const talker = left.spawn(["sh", "-c", "echo something else; sleep 100"]);
    await expect(talker.waitForOutput(/the word/, 200)).rejects.toMatchObject({
      code: "RAMPART_E_SANDBOX_OUTPUT",
      hint: expect.stringContaining("something else") as string,
    });
    await talker.stop();
  });

  test("a name is given once", async () => {
    await expect(sandbox.host("left")).rejects.toMatchObject({ code: "RAMPART_E_SANDBOX" });
  });
});

test.each([
  { family: "IPv4", bits: 24, one: "10.1.0.2", near: "10.1.0.1", far: "10.2.0.1", two: "10.2.0.2" },
  { family: "IPv6", bits: 64, one: "fd01::2", near: "fd01::1", far: "fd02::1", two: "fd02::2" },
])("a host with two links can forward $family", async (network) => {
  const sandbox = await Sandbox.create();
  try {
    const [one, router, two] = [await sandbox.host("one"), await sandbox.host("router"), await sandbox.host("two")];
    const prefixed = (address: string) => [`${address}/${network.bits}`];
    await sandbox.link(one, router, { addresses: [prefixed(network.one), prefixed(network.near)] });
    await sandbox.link(router, two, { addresses: [prefixed(network.far), prefixed(network.two)] });
    await one.route("default", network.near);
    await two.route("default", network.far);
    expect(await ping(one, network.two, { timeoutMs: 200 })).not.toBe("answered");
    await router.enableForwarding();
    expect(await ping(one, network.two, { timeoutMs: 5000 })).toBe("answered");
  } finally {
    await sandbox.destroy();
  }
});

describe("the end of a sandbox", () => {
  test("destroy ends every process inside, those in the background too", async () => {
    const mark = `destroyed-${process.pid}`;
    const sandbox = await Sandbox.create();
    const host = await sandbox.host("left");
    const script = "setsid sleep 1000 & echo started; exec sleep 1000";
    const shell = host.spawn(["sh", "-c", script], { env: { RAMPART_TEST_MARK: mark } });
    await shell.waitForOutput(/started/);
    expect(processesMarked(mark).length).toBeGreaterThanOrEqual(2);
    await sandbox.destroy();
    expect(await shell.exited).toEqual({ code: null, signal: "SIGKILL" });
    await vi.waitFor(() => expect(processesMarked(mark)).toEqual([]), 2000);
    await sandbox.destroy();
  });

  test("it ends with the program that made it, even when that is killed", async () => {
    const mark = `abandoned-${process.pid}`;
    const maker = spawn(process.execPath, [ABANDONED, BUILT_SANDBOX, mark], { stdio: ["ignore", "pipe", "inherit"] });
    await once(maker.stdout, "data");
    expect(processesMarked(mark).length).toBeGreaterThanOrEqual(1);
    maker.kill("SIGKILL");
    await vi.waitFor(() => expect(processesMarked(mark)).toEqual([]), 2000);
  });

  test.runIf(process.getuid?.() === 0)("it needs no root", async () => {
    const script = `
      const { Sandbox } = await import(process.argv[1]);
      const { ping } = await import(new URL("probe.js", process.argv[1]));
      const sandbox = await Sandbox.create();
      const [left, right] = [await sandbox.host("left"), await sandbox.host("right")];
      await sandbox.link(left, right, { addresses: [["10.3.0.1/24"], ["10.3.0.2/24"]] });
      await right.run(["iptables", "-A", "INPUT", "-p", "icmp", "-j", "ACCEPT"], { check: true });
      console.log(process.getuid(), await ping(left, "10.3.0.2"));
      await sandbox.destroy();`;
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const result = spawnSync(
      "setpriv",
      [...nobody, process.execPath, "--input-type=module", "-e", script, BUILT_SANDBOX],
      { encoding: "utf8", cwd: "/" },
    );
    expect(result.stderr).toBe("");
    expect(result.stdout.trim()).toBe("65534 answered");
  });
});
