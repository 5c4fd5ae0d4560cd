/** The chains of `offload: none`: no rule of theirs needs connection tracking unless something else does. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HookConfig } from "../../src/hooks/hook-config.ts";
import { MarkLayout } from "../../src/hooks/marks.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import { canonicalRule, targetOf } from "../../src/hooks/rule.ts";
import { chain, EVERYWHERE, failsafe, hookConfig, on, workloads } from "./configs.ts";

function stateless(changes: Partial<HookConfig> = {}): HookConfig {
  return hookConfig({ offload: "none", outputNat: false, ...changes });
}

function allRules(config: HookConfig, family: 4 | 6 = 4): string[] {
  return planHooks(config, family).chains.flatMap(({ rules }) => rules);
}

/** Matches and targets that make the kernel track connections. */
const TRACKING = /-m (conntrack|connmark|state)|-j (CONNMARK|CT)\b/;

describe("without offload", () => {
  test.each([4, 6] as const)("no rule of HostEndpoints' INPUT, FORWARD and OUTPUT tracks connections (IPv%d)", (family) => {
    for (const scope of [on("eth0"), EVERYWHERE]) {
      const config = stateless({ input: scope, output: scope, forward: scope });
      expect(allRules(config, family).filter((text) => TRACKING.test(text))).toEqual([]);
    }
  });

  test("conntrack is asked where NAT, workloads or untracked policy need it", () => {
    const needs: Partial<HookConfig>[] = [
      { outputNat: true },
      { workloads: workloads("cali") },
      { preDNAT: on("eth0") },
      { untracked: { inbound: ["eth0"], outbound: [] } },
    ];
    for (const need of needs) expect(allRules(stateless(need)).some((text) => TRACKING.test(text))).toBe(true);
    expect(planHooks(stateless(), 4).jumps.map(({ to }) => to)).toEqual(["RAMPART-INPUT", "RAMPART-OUTPUT"]);
    expect(planHooks(stateless({ outputNat: true }), 4).jumps.map(({ to }) => to)).toContain("RAMPART-POSTROUTING");
  });

  test("INPUT carries out what comes back, lets failsafes pass and queues everything else", () => {
    expect(chain(stateless(), 4, "RAMPART-INPUT-DECIDE")).toEqual([
      "-m mark ! --mark 0x0/0x3000000 -g RAMPART-INPUT-JUDGED",
      "-j MARK --set-xmark 0x0/0x1c000000",
      "-p tcp -m tcp --dport 22 -j ACCEPT",
      "-p udp -m udp --dport 68 -m recent --set --name rampart-inbound --mask 255.255.255.255 --rsource "
        + "-j NFQUEUE --queue-num 100 --queue-bypass",
      "-p udp -m udp --sport 53 -m recent --rcheck --seconds 60 --name rampart-outbound --mask 255.255.255.255 --rsource "
        + "-j NFQUEUE --queue-num 100 --queue-bypass",
      "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m tcp --sport 179 -j ACCEPT",
      "-j NFQUEUE --queue-num 100",
    ]);
  });

  test("what comes back is returned or refused; a verdict that means nothing is asked about again", () => {
    expect(chain(stateless(), 4, "RAMPART-INPUT-JUDGED")).toEqual([
      "-m mark --mark 0x3000000/0x3000000 -g RAMPART-RETURN",
      "-m mark --mark 0x2000000/0x3000000 -j RAMPART-REJECT",
      "-j MARK --set-xmark 0x0/0x1c000000",
      "-j NFQUEUE --queue-num 100",
    ]);
  });

  test("a forwarded packet meets two rules, unless a hook before FORWARD leaves a word in its mark", () => {
    expect(chain(stateless({ forward: EVERYWHERE }), 4, "RAMPART-FORWARD-DECIDE")).toHaveLength(2);
    const marked = stateless({ forward: EVERYWHERE, preDNAT: EVERYWHERE });
    expect(chain(marked, 4, "RAMPART-FORWARD-DECIDE")).toContain("-j MARK --set-xmark 0x0/0x14000000");
  });

  test("OUTPUT remembers whom a failsafe datagram asks, and lets the kernel refuse and report", () => {
    const rules = chain(stateless(), 6, "RAMPART-OUTPUT-DECIDE");
    const mask = "--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    expect(rules).toContain(
      `-p udp -m udp --dport 53 -m recent --set --name rampart-outbound ${mask} --rdest -j NFQUEUE --queue-num 100 --queue-bypass`,
    );
    expect(rules).toContain("-p tcp -m tcp --tcp-flags RST RST -m owner ! --socket-exists -j ACCEPT");
    for (const type of [1, 2, 3, 4]) expect(rules).toContain(`-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -j ACCEPT`);
  });

  test("FORWARD knows no failsafes", () => {
    const forward = chain(stateless({ forward: EVERYWHERE }), 4, "RAMPART-FORWARD-DECIDE");
    expect(forward.filter((text) => /port|recent/.test(text))).toEqual([]);
  });

  test("the queue may be bypassed for failsafes only", () => {
    const config = stateless({ failsafeInbound: [], failsafeOutbound: [failsafe("udp", 53)], forward: EVERYWHERE });
    const bypassing = allRules(config).filter((text) => text.includes("--queue-bypass"));
    expect(bypassing.every((text) => / --[ds]port 53 .*-m recent/.test(text))).toBe(true);
    expect(bypassing).toHaveLength(2);
  });

  test("fragments are put together by a chain nobody enters", () => {
    const { chains, jumps } = planHooks(stateless(), 4);
    expect(chains.find(({ name }) => name === "RAMPART-DEFRAGMENT")?.rules.map(canonicalRule)).toHaveLength(1);
    const targets = [...chains.flatMap(({ rules }) => rules.map(targetOf)), ...jumps.map(({ to }) => to)];
    expect(targets).not.toContain("RAMPART-DEFRAGMENT");
    expect(planHooks(stateless({ input: on(), output: on() }), 4).chains).toEqual([]);
  });

  test("a change of policy leaves the chains as they are: they do not depend on the generation", () => {
    const marks = new MarkLayout();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: marks.maxGeneration }), fc.boolean(), (generation, adoptOlder) => {
        const config = { forward: EVERYWHERE, workloads: workloads("cali"), outputNat: true };
        expect(planHooks(stateless({ ...config, generation, adoptOlder }), 4)).toEqual(planHooks(stateless(config), 4));
      }),
      { numRuns: 50 },
    );
  });
});
