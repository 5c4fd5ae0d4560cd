/** Rules of the second lane: where they stand, and that the tables hold them as they were planned. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HookInstaller } from "../../src/hooks/apply.ts";
import type { HookConfig } from "../../src/hooks/hook-config.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import type { LaneLimits } from "../../src/hooks/second-lane.ts";
import { chain, hookConfig, on } from "./configs.ts";
import { Namespace } from "./namespace.ts";

const ANY = { tcp: undefined, udp: undefined };

function withLane(
  changes: Partial<HookConfig> = {},
  sourcePerSecond = 2000,
  destinationPerSecond = 20_000,
  openPorts: LaneLimits["openPorts"] = ANY,
): HookConfig {
  const secondLane = { sourcePerSecond, destinationPerSecond, openPorts };
  const queue = { first: 100, count: 2, bypass: false, secondLane };
  return hookConfig({ queue, forward: on("eth0"), preDNAT: on("eth0"), ...changes });
}

function lanes(rules: readonly string[]): string[] {
  return rules.filter((rule) => rule.includes("hashlimit"));
}

describe("packets that come too fast", () => {
  test.each(["INPUT", "FORWARD"])("in %s: first by source, then by destination, right before the queue", (hook) => {
    const rules = chain(withLane(), 4, `RAMPART-${hook}-ASK`);
    expect(lanes(rules)).toEqual(rules.slice(-3, -1));
    const [source, destination] = lanes(rules);
    expect(source).toMatch(/--hashlimit-above 2000\/sec --hashlimit-burst 2000 --hashlimit-mode srcip .* NFQUEUE --queue-num 102$/);
    expect(destination).toMatch(/--hashlimit-above 20000\/sec .* --hashlimit-mode dstip,dstport .* NFQUEUE --queue-num 102$/);
    expect(rules.at(-1)).toBe("-j NFQUEUE --queue-balance 100:101");
  });

  test("before routing they are told apart too; what this host sends has one source and is not", () => {
    const config = withLane();
    expect(lanes(chain(config, 4, "RAMPART-PREDNAT-DECIDE", "mangle"))).toHaveLength(2);
    expect(lanes(chain(config, 4, "RAMPART-OUTPUT-ASK"))).toEqual([]);
  });

  test("hooks and rates have tables of their own: one that is there already keeps its rate", () => {
    const names = (config: HookConfig): string[] =>
      planHooks(config, 4).chains.flatMap(({ rules }) => rules.flatMap((rule) => /--hashlimit-name (\S+)/.exec(rule)?.[1] ?? []));
    const before = new Set(names(withLane()));
    expect(before.size).toBe(6);
    expect(names(withLane({}, 3000, 50_000)).filter((name) => before.has(name))).toEqual([]);
  });

  test("with failOpen what the second lane cannot hold passes as well", () => {
    const { queue } = withLane();
    const rules = chain(withLane({ queue: { ...queue, bypass: true } }), 4, "RAMPART-INPUT-ASK");
    expect(lanes(rules).every((rule) => rule.endsWith("--queue-num 102 --queue-bypass"))).toBe(true);
  });

  test("without offload every packet is queued, and none is too fast", () => {
    const { chains } = planHooks(withLane({ offload: "none" }), 4);
    expect(lanes(chains.flatMap(({ rules }) => rules))).toEqual([]);
  });

  test("the queue behind the last is refused where there is none", () => {
    const queue = { first: 65_535, count: 1, bypass: false };
    expect(() => planHooks(hookConfig({ queue }), 4)).not.toThrow();
    const secondLane = { sourcePerSecond: 1, destinationPerSecond: 1, openPorts: ANY };
    expect(() => planHooks(hookConfig({ queue: { ...queue, secondLane } }), 4)).toThrow(RangeError);
  });
});

describe("packets to ports that no policy can let in", () => {
  function closed(openPorts: LaneLimits["openPorts"]): string[] {
    const config = withLane({}, 2000, 20_000, openPorts);
    for (const hook of ["FORWARD", "OUTPUT"]) expect(chain(config, 4, `RAMPART-${hook}-ASK`).join()).not.toContain("dports");
    return chain(config, 4, "RAMPART-INPUT-ASK").filter((rule) => /^-p (tcp|udp)/.test(rule));
  }

  test("take the second lane in INPUT, in their original direction, whatever their rate", () => {
    const tcp = [{ min: 80, max: 80 }, { min: 8000, max: 8100 }];
    expect(closed({ tcp, udp: [] })).toEqual([
      "-p tcp -m multiport ! --dports 80,8000:8100 -m conntrack --ctdir ORIGINAL -j NFQUEUE --queue-num 102",
      "-p udp -m conntrack --ctdir ORIGINAL -j NFQUEUE --queue-num 102",
    ]);
    expect(closed(ANY)).toEqual([]);
  });

  test("where there are more than one match takes, those nearest to one another are taken for one range", () => {
    const tcp = [...Array(16).keys()].map((n) => ({ min: 1000 * (n + 1), max: 1000 * (n + 1) }));
    const udp = [...tcp.slice(0, 14), { min: 60_000, max: 60_000 }, { min: 60_002, max: 60_003 }];
    const [first, second] = closed({ tcp, udp });
    expect(first).toContain("--dports 1000:3000,4000,5000");
    expect(second).toContain("--dports 1000:3000,4000,");
    expect(second).toContain(",14000,60000:60003 ");
  });
});

describe("in real tables", () => {
  let namespace: Namespace;

  beforeEach(async () => {
    namespace = await Namespace.create();
  });
  afterEach(async () => {
    await namespace.close();
  });

  test.each(["nft", "legacy"] as const)("iptables-%s prints them so that nothing seems to be changed, whatever the rate", async (variant) => {
    const installer = new HookInstaller({ variant, lockWaitSeconds: 5, ipv6: true, marks: new MarkLayout(), run: namespace.run });
    for (const [source, destination] of [[1, 7], [2000, 20_000], [3000, 77_777], [999, 123_456], [40_001, 1_000_000]] as const) {
      const udp = [{ min: 53, max: 53 }, { min: 60_000, max: 61_000 }];
      const config = withLane({}, source, destination, { tcp: source === 1 ? [] : [{ min: 80, max: 80 }], udp });
      await installer.apply(config);
      expect(await installer.verify(config), `${source} and ${destination} a second`).toEqual([]);
    }
  });
});
