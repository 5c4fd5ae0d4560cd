/** What holds for the plan of every configuration. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CHAIN_PREFIX } from "../../src/hooks/chain-plan.ts";
import type { HookConfig, Scope } from "../../src/hooks/hook-config.ts";
import { HOOK_POINTS, HOOKS, TABLES } from "../../src/hooks/hook-point.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import { ruleName, targetOf } from "../../src/hooks/rule.ts";
import { restoreText } from "../../src/hooks/text.ts";
import { allowedSource, bare, cidr, failsafe } from "./configs.ts";

const names = fc.array(fc.constantFrom("eth0", "eth1", "lo", "br-lan", "wg0"), { maxLength: 3 });
const scopes: fc.Arbitrary<Scope> = fc.record({ wildcard: fc.boolean(), interfaces: names });
const failsafes = fc.array(
  fc
    .tuple(
      fc.constantFrom("tcp" as const, "udp" as const, "sctp" as const),
      fc.integer({ min: 1, max: 65535 }),
      fc.constantFrom(undefined, "10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "::/0", "0.0.0.0/0"),
    )
    .map(([protocol, port, net]) => failsafe(protocol, port, net)),
  { maxLength: 20 },
);
const rates = fc.integer({ min: 1, max: 1_000_000 });
const ports = fc.option(
  fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { maxLength: 40 }).map((firsts) =>
    firsts.toSorted((a, b) => a - b).map((n) => ({ min: n * 60, max: n * 60 + (n % 3) * 10 })),
  ),
  { nil: undefined },
);
const configs: fc.Arbitrary<HookConfig> = fc.record({
  input: scopes,
  output: scopes,
  forward: fc.option(scopes, { nil: undefined }),
  workloads: fc.option(
    fc.record({
      prefixes: fc.uniqueArray(fc.constantFrom("cali", "tap", "wl-"), { minLength: 1 }),
      allowedSources: fc.array(
        fc
          .tuple(fc.constantFrom("cali1", "tap7"), fc.constantFrom("10.9.0.0/16", "2001:db8:9::/48", "0.0.0.0/0"))
          .map(([name, net]) => allowedSource(name, net)),
        { maxLength: 3 },
      ),
    }),
    { nil: undefined },
  ),
  preDNAT: fc.option(scopes, { nil: undefined }),
  untracked: fc.option(fc.record({ inbound: names, outbound: names }), { nil: undefined }),
  adoptOlder: fc.boolean(),
  offload: fc.constantFrom("connmark", "none"),
  outputNat: fc.boolean(),
  keepEstablished: fc.boolean(),
  dropInvalid: fc.boolean(),
  tunnels: fc.option(
    fc.record({
      ipip: fc.boolean(),
      vxlanPort: fc.constantFrom(undefined, 4789, 8472),
      ends: fc.uniqueArray(fc.constantFrom("192.0.2.1/32", "198.51.100.0/24", "2001:db8::1/128")).map((ends) => ends.map(cidr)),
    }),
    { nil: undefined },
  ),
  serviceLoop: fc.option(
    fc.record({
      nets: fc.array(fc.constantFrom("10.96.0.0/12", "fd96::/112")).map((nets) => nets.map(cidr)),
      reject: fc.boolean(),
    }),
    { nil: undefined },
  ),
  ipv6: fc.boolean(),
  exemptLoopback: fc.boolean(),
  failsafeInbound: failsafes,
  failsafeOutbound: failsafes,
  queue: fc.record(
    {
      first: fc.nat(1000),
      count: fc.integer({ min: 1, max: 8 }),
      bypass: fc.boolean(),
      secondLane: fc.record({ sourcePerSecond: rates, destinationPerSecond: rates, openPorts: fc.record({ tcp: ports, udp: ports }) }),
    },
    { requiredKeys: ["first", "count", "bypass"] },
  ),
  marks: fc.constantFrom(
    new MarkLayout(),
    new MarkLayout({ packet: 0x7f, connection: 0xf }),
    new MarkLayout({ packet: 0xffffffff, connection: 0xffffffff }),
  ),
  generation: fc.integer({ min: 1, max: 14 }),
});
const families = fc.constantFrom(4 as const, 6 as const);

/** Chains that nothing returns from, and those that return to have the packet judged. */
const MAY_BE_CALLED: ReadonlySet<string | undefined> = new Set([
  "RAMPART-ND",
  "RAMPART-OUTPUT-TUNNEL",
  "RAMPART-ALLOW",
  "RAMPART-ALLOW-NEXT",
  "RAMPART-REJECT",
]);

describe("for every configuration", () => {
  test("a decision chain ends in the queue, and so does what it asks through; filter's has nothing that returns but RETURN verdicts", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        for (const { table, name, rules } of planHooks(config, family).chains) {
          if (!/-(DECIDE|WORKLOAD|ASK|JUDGED)$/.test(name)) continue;
          expect(targetOf(rules.at(-1) as string)).toBe("NFQUEUE");
          const forbidden = table === "filter" ? "-j RETURN" : "-j ACCEPT";
          expect(rules.filter((rule) => rule.includes(forbidden))).toEqual([]);
        }
      }),
    );
  });

  test("verdict chains end the walk, in filter by accepting or refusing, elsewhere by going on", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        for (const { table, name, rules } of planHooks(config, family).chains) {
          if (!/^RAMPART-(ALLOW|REJECT|RETURN|PASS|ADMIT|UNTRACK|POSTPONE)/.test(name)) continue;
          const goesOn = table !== "filter" || /^RAMPART-(RETURN|POSTPONE)/.test(name);
          expect(targetOf(rules.at(-1) as string)).toMatch(goesOn ? /^RETURN$/ : /^(ACCEPT|REJECT)$/);
          // Nothing leaves with a verdict: every one of them writes all bits of the packet mark.
          const mask = `/0x${config.marks.masks.packet.toString(16)}`;
          const written = rules.map(bare).filter((rule) => rule.startsWith("-j MARK --set-xmark"));
          expect(written.map((rule) => rule.slice(rule.indexOf("/")))).toEqual([mask]);
        }
      }),
    );
  });

  test("a chain that returns is entered with goto, or the packet would go on inside the decision", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        const { chains } = planHooks(config, family);
        const called = chains.flatMap(({ rules }) => rules).filter((rule) => /-j RAMPART-/.test(rule));
        expect(called.filter((rule) => !MAY_BE_CALLED.has(targetOf(rule)))).toEqual([]);
      }),
    );
  });

  test("the only rule outside our chains is one jump a hook, at position 1; tables are in their order", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        const plan = planHooks(config, family);
        const lines = restoreText(plan).split("\n");
        const outside = lines.filter((line) => line.startsWith("-") && !line.startsWith(`-A ${CHAIN_PREFIX}`));
        const hooks = plan.jumps.map((jump) => jump.to.slice(CHAIN_PREFIX.length));
        expect(hooks).toEqual(HOOKS.filter((hook) => hooks.includes(hook)));
        expect(outside.toSorted()).toEqual(
          plan.jumps.map(({ from, to }) => `-I ${from} 1 -j ${to}`).toSorted(),
        );
        for (const { table, from, to } of plan.jumps) {
          expect(HOOK_POINTS[to.slice(CHAIN_PREFIX.length) as keyof typeof HOOK_POINTS]).toEqual({ table, base: from });
        }
        const declared = lines.filter((line) => line.startsWith(":"));
        expect(declared.every((line) => line.startsWith(`:${CHAIN_PREFIX}`))).toBe(true);
        const used = TABLES.filter((table) => plan.chains.some((each) => each.table === table));
        expect(lines.filter((line) => line.startsWith("*"))).toEqual(used.map((table) => `*${table}`));
      }),
    );
  });

  test("every rule has a name, every target chain is declared in its table, every declared chain is reached", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        const plan = planHooks(config, family);
        for (const table of TABLES) {
          const chains = plan.chains.filter((each) => each.table === table);
          const jumps = plan.jumps.filter((each) => each.table === table);
          const rules = [...chains.flatMap((each) => each.rules), ...jumps.map((jump) => jump.rule)];
          expect(rules.filter((rule) => ruleName(rule) === undefined)).toEqual([]);
          const reached = new Set(rules.map(targetOf).filter((target) => target?.startsWith(CHAIN_PREFIX)));
          // What the kernel is to put fragments together for need not be entered.
          const entered = chains.map((each) => each.name).filter((name) => name !== "RAMPART-DEFRAGMENT");
          expect([...reached].toSorted()).toEqual(entered.toSorted());
          for (const { name } of chains) expect(name.length).toBeLessThanOrEqual(28);
        }
      }),
    );
  });

  test("acceptance is read only where it can be set, and cleared once before that, for every packet", () => {
    fc.assert(
      fc.property(configs, families, (config, family) => {
        const { chains } = planHooks(config, family);
        const named = (name: string): string[] =>
          chains.filter(({ rules }) => rules.some((rule) => ruleName(rule) === name)).map((each) => each.name);
        const clears = named("not-accepted");
        for (const name of clears) {
          const { rules } = chains.find((each) => each.name === name) as { rules: readonly string[] };
          expect(ruleName(rules[0] as string)).toBe("not-accepted");
        }
        const inbound = clears.filter((name) => name !== "RAMPART-RAW-OUT");
        const sets = named("admit").filter((name) => !name.endsWith("-NEXT"));
        expect(inbound.length).toBeLessThanOrEqual(1);
        expect(clears.length > 0).toBe(sets.length > 0);
        const reads = named("accepted").filter((name) => /-(INPUT|OUTPUT)-/.test(name));
        expect(reads.includes("RAMPART-INPUT-DECIDE") && inbound.length === 0).toBe(false);
        expect(reads.includes("RAMPART-OUTPUT-DECIDE") && !clears.includes("RAMPART-RAW-OUT")).toBe(false);
      }),
    );
  });

  test("exempt loopback is never decided; policed loopback is, wherever a wildcard governs", () => {
    fc.assert(
      fc.property(configs, families, fc.constantFrom("INPUT", "OUTPUT"), (config, family, hook) => {
        const { wildcard } = hook === "INPUT" ? config.input : config.output;
        const dispatch = planHooks(config, family).chains.find((each) => each.name === `RAMPART-${hook}`);
        fc.pre(dispatch !== undefined);
        const rules = dispatch.rules.map(bare);
        const side = hook === "INPUT" ? "-i" : "-o";
        expect(rules.includes(`${side} lo -j RETURN`)).toBe(wildcard && config.exemptLoopback);
        expect(rules.at(-1) === `-g RAMPART-${hook}-DECIDE`).toBe(wildcard);
        expect(config.exemptLoopback && rules.includes(`${side} lo -g RAMPART-${hook}-DECIDE`)).toBe(false);
      }),
    );
  });
});
