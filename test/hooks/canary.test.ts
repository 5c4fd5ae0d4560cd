/** The canaries' rules in the plan: first of OUTPUT, and no way out. */
import { describe, expect, test } from "vitest";
import { canaryAddress } from "../../src/hooks/canary.ts";
import { planHooks, plansCanary } from "../../src/hooks/plan.ts";
import { chain, EVERYWHERE, hookConfig, NOWHERE } from "./configs.ts";

const MATCH = "-o lo -m mark --mark 0x14000000/0xff000000";
const QUEUE = { first: 100, count: 2, bypass: true };

describe.each(["connmark", "none"] as const)("canaries with offload %s", (offload) => {
  const config = hookConfig({ offload, output: EVERYWHERE, queue: QUEUE, canary: true });

  test("go to the queue that their address names, before loopback returns, and without bypass", () => {
    expect(chain(config, 4, "RAMPART-OUTPUT")[0]).toBe(`${MATCH} -g RAMPART-OUTPUT-CANARY`);
    expect(chain(config, 4, "RAMPART-OUTPUT-CANARY")).toEqual([
      "-d 127.82.0.100/32 -j NFQUEUE --queue-num 100",
      "-d 127.82.0.101/32 -j NFQUEUE --queue-num 101",
      "-j DROP",
    ]);
  });

  test("have a hook of their own where nothing else needs OUTPUT", () => {
    const { chains, jumps } = planHooks({ ...config, output: NOWHERE }, 4);
    expect(jumps.map(({ from, to }) => [from, to])).toContainEqual(["OUTPUT", "RAMPART-OUTPUT"]);
    expect(chains.find(({ name }) => name === "RAMPART-OUTPUT")?.rules).toHaveLength(1);
    expect(chains.some(({ name }) => name === "RAMPART-OUTPUT-DECIDE")).toBe(false);
  });

  test("change nothing else of the plan", () => {
    const without = planHooks({ ...config, canary: false }, 4);
    const { chains, jumps } = planHooks(config, 4);
    expect(jumps).toEqual(without.jumps);
    const others = chains.filter(({ name }) => name !== "RAMPART-OUTPUT-CANARY");
    expect(others.map(({ rules, ...each }) => ({ ...each, rules: rules.filter((rule) => !rule.includes("canary")) }))).toEqual(
      without.chains,
    );
  });

  test("are nothing of IPv6's", () => {
    expect(planHooks(config, 6)).toEqual(planHooks({ ...config, canary: false }, 6));
  });
});

test("untracked policy lets them alone, and does not take their mark away", () => {
  const config = hookConfig({ untracked: { inbound: [], outbound: ["eth0"] }, canary: true });
  expect(chain(config, 4, "RAMPART-RAW-OUT", "raw")[0]).toBe(`${MATCH} -j RETURN`);
});

test("where nothing is hooked there is nothing to watch", () => {
  const idle = hookConfig({ input: NOWHERE, output: NOWHERE, canary: true });
  expect(planHooks(idle, 4).jumps).toEqual([]);
  expect([plansCanary(idle), plansCanary(hookConfig({ canary: true })), plansCanary(hookConfig())]).toEqual([false, true, false]);
});

test("the queue around routing has one too", () => {
  const config = hookConfig({ queue: { first: 300, count: 1, aroundRouting: 301, bypass: false }, canary: true });
  expect(chain(config, 4, "RAMPART-OUTPUT-CANARY").filter((rule) => rule.includes("-j NFQUEUE"))).toHaveLength(2);
  expect(canaryAddress(301)).toBe(0x7f52012d);
});
