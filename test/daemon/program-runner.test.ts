/** The daemon's way to run programs and the plain one are the same to their callers. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programRunner } from "../../src/daemon/program-runner.ts";
import { runCommand } from "../../src/hooks/command.ts";
import { loadNative } from "../../src/native/load.ts";

const SECONDS = { timeoutMilliseconds: 20_000 };
const LARGE = "0123456789abcdef".repeat(65_536);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "rampart-programs-"));
  writeFileSync(join(directory, "not-for-us"), "#!/bin/sh\n");
  chmodSync(join(directory, "not-for-us"), 0o600);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function isRunning(pid: number): boolean {
  try {
    // The third field of stat: a zombie has ended, but nobody has asked how.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

const RUNNERS = [
  ["by Node", runCommand],
  ["by the addon", programRunner(loadNative())],
] as const;

describe.each(RUNNERS)("a program run %s", (_, run) => {
  it("gives what it printed and its exit status", async () => {
    const result = await run("sh", ["-c", "echo out; echo err >&2; exit 3"], SECONDS);
    expect(result).toEqual({ status: 3, stdout: "out\n", stderr: "err\n" });
  });

  it("has a status of null when a signal ended it", async () => {
    expect(await run("sh", ["-c", "kill -TERM $$"], SECONDS)).toEqual({ status: null, stdout: "", stderr: "" });
  });

  it("reads its input to the end, however much there is, while it prints", async () => {
    expect(await run("cat", [], { ...SECONDS, input: LARGE })).toEqual({ status: 0, stdout: LARGE, stderr: "" });
    expect(await run("cat", [], SECONDS)).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("may end without reading its input", async () => {
    expect(await run("sh", ["-c", "exit 4"], { ...SECONDS, input: LARGE })).toMatchObject({ status: 4 });
  });

  it("may go on after it has closed what it prints to", async () => {
    const result = await run("sh", ["-c", "exec >&- 2>&-; sleep 0.2; exit 5"], SECONDS);
    expect(result).toEqual({ status: 5, stdout: "", stderr: "" });
  });

  it("is looked for in the path it is given, and is undefined where there is none", async () => {
    const path = `${directory}:/bin:/usr/bin`;
    expect(await run("sh", ["-c", "echo $PATH $LC_ALL"], { ...SECONDS, path })).toMatchObject({ stdout: `${path} C\n` });
    expect(await run("no-such-program", [], SECONDS)).toBeUndefined();
    expect(await run("sh", [], { ...SECONDS, path: directory })).toBeUndefined();
    expect(await run("not-for-us", [], { ...SECONDS, path: directory })).toBeUndefined();
  });

  it("finds signals as a program expects them", async () => {
    const { stdout } = (await run("sh", ["-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status"], SECONDS)) ?? { stdout: "" };
    const masks = [...stdout.matchAll(/:\s*([0-9a-f]{16})/g)].map(([, mask]) => BigInt(`0x${mask}`));
    // Those above 31 are the C library's own.
    expect(masks.map((mask) => mask & 0x7fffffffn)).toEqual([0n, 0n]);
  });

  it("has no descriptors of ours but the three", async () => {
    const { stdout } = (await run("sh", ["-c", "ls /proc/$$/fd"], SECONDS)) ?? { stdout: "" };
    expect(stdout.split("\n").filter((fd) => Number(fd) < 10 && fd !== "")).toEqual(["0", "1", "2"]);
  });

  it("is told of by its process id, and killed when the time is over", async () => {
    let pid = 0;
    const onStart = (started: number): void => {
      pid = started;
    };
    const running = run("sh", ["-c", "exec sleep 60"], { timeoutMilliseconds: 300, onStart });
    expect(isRunning(pid)).toBe(true);
    await expect(running).rejects.toMatchObject({ code: "RAMPART_E_IPTABLES_FAILED" });
    await expect.poll(() => isRunning(pid)).toBe(false);
  });

  it("leaves nothing behind: no process, no descriptor", async () => {
    await run("true", [], SECONDS);
    const before = readdirSync("/proc/self/fd").length;
    for (let n = 0; n < 20; n++) await run("echo", [String(n)], SECONDS);
    const zombies = readdirSync(`/proc/self/task/${process.pid}`).includes("children")
      ? readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ").filter((pid) => pid !== "" && !isRunning(Number(pid)))
      : [];
    expect(zombies).toEqual([]);
    await expect.poll(() => readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
  });
});
