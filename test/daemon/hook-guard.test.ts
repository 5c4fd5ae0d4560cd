import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { HookGuard } from "../../src/daemon/hook-guard.ts";

let guard: HookGuard | undefined;
afterEach(() => guard?.stop());

interface Guarded {
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly state: { readonly hookProblems: readonly string[] };
}

/** A guard over hooks that `verify` finds right or wrong, and what it logs. */
function guarded(verify: () => Promise<readonly string[] | undefined>): Guarded {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) });
  const state: { hookProblems: readonly string[] } = { hookProblems: [] };
  guard = new HookGuard({
    log,
    state,
    repair: async (onFound) => {
      const problems = await verify();
      if (problems !== undefined && problems.length > 0) onFound(problems);
      return problems;
    },
  });
  return { lines, state };
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 5000; !condition(); await sleep(5)) if (Date.now() > end) throw new Error("not within 5 s");
}

describe("the guard of the hooks", () => {
  test("never runs two verifications at once, and a storm of alarms is a few of them", async () => {
    let running = 0;
    let most = 0;
    guarded(async () => {
      most = Math.max(most, ++running);
      await sleep(20);
      running--;
      return [];
    });
    const began = performance.now();
    for (let i = 0; i < 200; i++) {
      guard?.raise("notified");
      await sleep(2);
    }
    const elapsed = performance.now() - began;
    expect(most).toBe(1);
    expect(guard?.verifications.notified).toBeGreaterThan(1);
    // Each takes 20 ms and is followed by 100 ms of rest.
    expect(guard?.verifications.notified).toBeLessThanOrEqual(1 + elapsed / 100);
  });

  test("verifies once more after an alarm that came while it was at it", async () => {
    let looks = 0;
    guarded(async () => {
      looks++;
      if (looks === 1) guard?.raise("notified");
      return [];
    });
    guard?.raise("periodic");
    await until(() => looks === 2);
    await sleep(250);
    expect(looks).toBe(2);
    expect(guard?.verifications).toMatchObject({ notified: 1, periodic: 1 });
  });

  test("counts a repair by its cause, and tells who did what and for how long", async () => {
    const { lines, state } = guarded(async () => ["IPv4: chain RAMPART-INPUT is missing"]);
    guard?.raise("periodic", performance.now() - 5000);
    guard?.raise("notified", performance.now() - 60, ["nft (pid 7)"]);
    await until(() => lines.length === 2);
    expect(lines[0]).toMatchObject({
      level: 50,
      cause: "notified",
      programs: ["nft (pid 7)"],
      problems: ["IPv4: chain RAMPART-INPUT is missing"],
    });
    expect(lines[1]).toMatchObject({ level: 40, cause: "notified", programs: ["nft (pid 7)"], msg: "rampart's hooks are back" });
    // The notification knows since when; a periodic look only knows when the last one was.
    expect(lines[1]?.["unfilteredMs"]).toBeGreaterThanOrEqual(60);
    expect(lines[1]?.["unfilteredMs"]).toBeLessThan(5000);
    expect(guard?.repairs).toEqual({ notified: 1, changed: 0, returned: 0, periodic: 0 });
    expect(guard?.unfilteredSeconds).toBeGreaterThanOrEqual(0.06);
    expect(state.hookProblems).toEqual([]);
  });

  test("takes an alarm that comes while it looks for the reason of what it finds", async () => {
    const { lines } = guarded(async () => {
      if (guard?.repairs.notified === 0) guard.raise("notified", performance.now(), ["nft (pid 7)"]);
      return ["gone"];
    });
    guard?.raise("periodic", performance.now() - 60_000);
    await until(() => lines.length >= 2);
    expect(lines[1]).toMatchObject({ cause: "notified", programs: ["nft (pid 7)"] });
    expect(lines[1]?.["unfilteredMs"]).toBeLessThan(10_000);
  });

  test("does not count the time before a verification that found everything in place", async () => {
    let looks = 0;
    const { lines } = guarded(async () => (++looks === 1 ? [] : ["gone"]));
    const long = performance.now() - 60_000;
    guard?.raise("periodic", long);
    await until(() => looks === 1);
    guard?.raise("periodic", long);
    await until(() => lines.length === 2);
    expect(lines[1]?.["unfilteredMs"]).toBeLessThan(10_000);
  });

  test("tries again by itself after a repair that failed, and shows the problem until it is gone", async () => {
    let attempts = 0;
    const lines: string[] = [];
    const state: { hookProblems: readonly string[] } = { hookProblems: [] };
    const log = pino({ base: null }, { write: (text: string) => void lines.push(text) });
    guard = new HookGuard({
      log,
      state,
      repair: async (onFound) => {
        onFound(["gone"]);
        if (++attempts < 3) throw new Error("another program holds the lock");
        return ["gone"];
      },
    });
    guard.raise("changed");
    await until(() => attempts === 2);
    expect(state.hookProblems).toEqual(["gone"]);
    await until(() => guard?.repairs.changed === 1);
    expect(state.hookProblems).toEqual([]);
    expect(lines.filter((line) => line.includes("could not verify the hooks"))).toHaveLength(2);
  });

  test("counts nothing while no policy wants hooks, and begins nothing after its end", async () => {
    let looks = 0;
    guarded(async () => {
      looks++;
      return undefined;
    });
    guard?.raise("notified");
    await until(() => looks === 1);
    expect(guard?.verifications.notified).toBe(0);
    guard?.raise("notified");
    guard?.stop();
    guard?.raise("notified");
    await sleep(250);
    expect(looks).toBe(1);
  });
});
