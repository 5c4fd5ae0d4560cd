/** The plan's raw and mangle tables and workload interfaces (SEMANTICS 3.4). */
import { describe, expect, test } from "vitest";
import { HOOK_POINTS, HOOKS, type HookName } from "../../src/hooks/hook-point.ts";
import { planHooks } from "../../src/hooks/plan.ts";
import { restoreText } from "../../src/hooks/text.ts";
import { allowedSource, chain, EVERYWHERE, failsafe, hookConfig, NOWHERE, on, workloads } from "./configs.ts";

describe("preDNAT policy", () => {
  const config = hookConfig({ preDNAT: on("eth0"), output: NOWHERE });

  test("mangle PREROUTING, word for word, ahead of the filter table", () => {
    const text = restoreText(planHooks(config, 4));
    expect(text.slice(0, text.indexOf("*filter"))).toBe(
      `*mangle
:RAMPART-PREDNAT - [0:0]
:RAMPART-PREDNAT-DECIDE - [0:0]
:RAMPART-ADMIT - [0:0]
:RAMPART-ADMIT-NEXT - [0:0]
:RAMPART-PASS - [0:0]
-A RAMPART-PREDNAT -m comment --comment "rampart:not-accepted" -j MARK --set-xmark 0x0/0x8000000
-A RAMPART-PREDNAT -i eth0 -g RAMPART-PREDNAT-DECIDE
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x8000000/0x8000000 -m comment --comment "rampart:accepted" -j RETURN
-A RAMPART-PREDNAT-DECIDE -m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -j RETURN
-A RAMPART-PREDNAT-DECIDE -m conntrack --ctdir REPLY -m comment --comment "rampart:answer" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -m conntrack --ctstate RELATED -m comment --comment "rampart:related" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -p tcp -m tcp --dport 22 -m comment --comment "rampart:failsafe" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -p udp -m udp --dport 68 -m comment --comment "rampart:failsafe" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -m conntrack --ctstate INVALID -m comment --comment "rampart:invalid" -j DROP
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x21000000/0xe3000000 -m comment --comment "rampart:allowed" -g RAMPART-ADMIT
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x41000000/0xe3000000 -m comment --comment "rampart:allowed-next" -g RAMPART-ADMIT-NEXT
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x23000000/0xe3000000 -m comment --comment "rampart:returned" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x43000000/0xe3000000 -m comment --comment "rampart:returned-next" -g RAMPART-PASS
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x22000000/0xe3000000 -m comment --comment "rampart:rejected" -j DROP
-A RAMPART-PREDNAT-DECIDE -m mark --mark 0x42000000/0xe3000000 -m comment --comment "rampart:rejected-next" -j DROP
-A RAMPART-PREDNAT-DECIDE -j MARK --set-xmark 0x0/0x1c000000
-A RAMPART-PREDNAT-DECIDE -j NFQUEUE --queue-num 100
-A RAMPART-ADMIT -m comment --comment "rampart:accepted" -j MARK --set-xmark 0x28000000/0xff000000
-A RAMPART-ADMIT -m comment --comment "rampart:admit" -j RETURN
-A RAMPART-ADMIT-NEXT -m comment --comment "rampart:accepted" -j MARK --set-xmark 0x48000000/0xff000000
-A RAMPART-ADMIT-NEXT -m comment --comment "rampart:admit" -j RETURN
-A RAMPART-PASS -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-PASS -m comment --comment "rampart:pass" -j RETURN
-I PREROUTING 1 -j RAMPART-PREDNAT
COMMIT
`,
    );
  });

  test("INPUT accepts what it has accepted, by its generation alone; userspace sees it in FORWARD", () => {
    const input = chain(config, 4, "RAMPART-INPUT-DECIDE");
    expect(input.slice(1, 3)).toEqual([
      "-m mark --mark 0x28000000/0xeb000000 -j RAMPART-ALLOW",
      "-m mark --mark 0x48000000/0xeb000000 -j RAMPART-ALLOW-NEXT",
    ]);
    expect(input).toContain("-j MARK --set-xmark 0x0/0x1c000000");
    expect(chain(config, 4, "RAMPART-FORWARD-DECIDE")).toContain("-j MARK --set-xmark 0x0/0x14000000");
  });

  test("FORWARD is hooked for its interfaces, so that a forwarded connection comes to be known as allowed", () => {
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual([
      "-i eth0 -g RAMPART-FORWARD-DECIDE",
      "-o eth0 -g RAMPART-FORWARD-DECIDE",
    ]);
  });

  test("a wildcard takes every interface, those of workloads too, but loopback", () => {
    const everywhere = hookConfig({ preDNAT: EVERYWHERE, workloads: workloads("cali") });
    expect(chain(everywhere, 4, "RAMPART-PREDNAT", "mangle").slice(1)).toEqual([
      "-i lo -j RETURN",
      "-g RAMPART-PREDNAT-DECIDE",
    ]);
  });

  test("IPv6 neighbour discovery is let go on", () => {
    const rules = chain(config, 6, "RAMPART-PREDNAT-DECIDE", "mangle");
    expect(rules).toContain("-p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -g RAMPART-PASS");
  });
});

describe("untracked policy", () => {
  const config = hookConfig({
    untracked: { inbound: ["eth0"], outbound: ["eth0", "lo"] },
    failsafeInbound: [failsafe("tcp", 22, "10.0.0.0/8")],
    failsafeOutbound: [failsafe("udp", 53)],
  });

  test("raw PREROUTING and OUTPUT, word for word, first of all tables", () => {
    const text = restoreText(planHooks(config, 4)).replaceAll(/-m comment --comment "rampart:[a-z0-9-]+" /g, "");
    expect(text.slice(0, text.indexOf("*mangle"))).toBe(
      `*raw
:RAMPART-RAW-IN - [0:0]
:RAMPART-RAW-IN-DECIDE - [0:0]
:RAMPART-RAW-OUT - [0:0]
:RAMPART-RAW-OUT-DECIDE - [0:0]
:RAMPART-UNTRACK - [0:0]
:RAMPART-UNTRACK-NEXT - [0:0]
:RAMPART-PASS - [0:0]
-A RAMPART-RAW-IN -j MARK --set-xmark 0x0/0x8000000
-A RAMPART-RAW-IN -i eth0 -g RAMPART-RAW-IN-DECIDE
-A RAMPART-RAW-IN-DECIDE -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -g RAMPART-PASS
-A RAMPART-RAW-IN-DECIDE -p udp -m udp --sport 53 -g RAMPART-PASS
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x21000000/0xe3000000 -g RAMPART-UNTRACK
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x41000000/0xe3000000 -g RAMPART-UNTRACK-NEXT
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x23000000/0xe3000000 -g RAMPART-PASS
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x43000000/0xe3000000 -g RAMPART-PASS
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x22000000/0xe3000000 -j DROP
-A RAMPART-RAW-IN-DECIDE -m mark --mark 0x42000000/0xe3000000 -j DROP
-A RAMPART-RAW-IN-DECIDE -j MARK --set-xmark 0x10000000/0x1c000000
-A RAMPART-RAW-IN-DECIDE -j NFQUEUE --queue-num 100
-A RAMPART-RAW-OUT -j MARK --set-xmark 0x0/0x8000000
-A RAMPART-RAW-OUT -o eth0 -g RAMPART-RAW-OUT-DECIDE
-A RAMPART-RAW-OUT-DECIDE -p udp -m udp --dport 53 -g RAMPART-PASS
-A RAMPART-RAW-OUT-DECIDE -d 10.0.0.0/8 -p tcp -m tcp --sport 22 -g RAMPART-PASS
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x21000000/0xe3000000 -g RAMPART-UNTRACK
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x41000000/0xe3000000 -g RAMPART-UNTRACK-NEXT
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x23000000/0xe3000000 -g RAMPART-PASS
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x43000000/0xe3000000 -g RAMPART-PASS
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x22000000/0xe3000000 -j DROP
-A RAMPART-RAW-OUT-DECIDE -m mark --mark 0x42000000/0xe3000000 -j DROP
-A RAMPART-RAW-OUT-DECIDE -j MARK --set-xmark 0x10000000/0x1c000000
-A RAMPART-RAW-OUT-DECIDE -j NFQUEUE --queue-num 100
-A RAMPART-UNTRACK -j CT --notrack
-A RAMPART-UNTRACK -j MARK --set-xmark 0x28000000/0xff000000
-A RAMPART-UNTRACK -j RETURN
-A RAMPART-UNTRACK-NEXT -j CT --notrack
-A RAMPART-UNTRACK-NEXT -j MARK --set-xmark 0x48000000/0xff000000
-A RAMPART-UNTRACK-NEXT -j RETURN
-A RAMPART-PASS -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-PASS -j RETURN
-I OUTPUT 1 -j RAMPART-RAW-OUT
-I PREROUTING 1 -j RAMPART-RAW-IN
COMMIT
`,
    );
  });

  test("INPUT and OUTPUT accept what it has accepted", () => {
    for (const hook of ["INPUT", "OUTPUT"]) {
      const accepted = "-m mark --mark 0x28000000/0xeb000000 -j RAMPART-ALLOW";
      expect(chain(config, 4, `RAMPART-${hook}-DECIDE`)).toContain(accepted);
    }
  });

  test("with preDNAT policy too, acceptance is cleared in raw only, and preDNAT spares the accepted", () => {
    const both = { ...config, preDNAT: on("eth0") };
    expect(chain(both, 4, "RAMPART-PREDNAT", "mangle")).toEqual(["-i eth0 -g RAMPART-PREDNAT-DECIDE"]);
    expect(chain(both, 4, "RAMPART-PREDNAT-DECIDE", "mangle")[0]).toBe("-m mark --mark 0x8000000/0x8000000 -j RETURN");
  });

  test("one direction hooks one direction", () => {
    const plan = planHooks(hookConfig({ untracked: { inbound: [], outbound: ["eth0"] } }), 4);
    expect(plan.jumps.filter(({ table }) => table === "raw").map(({ from }) => from)).toEqual(["OUTPUT"]);
  });
});

describe("workload interfaces", () => {
  const config = hookConfig({
    output: EVERYWHERE,
    workloads: {
      prefixes: ["tap", "cali"],
      allowedSources: [allowedSource("cali9", "10.9.0.0/16", "2001:db8:9::/48"), allowedSource("tap1", "0.0.0.0/0")],
    },
  });

  test("what they send must come from where a route leads back to them, or from what they were given", () => {
    expect(chain(config, 4, "RAMPART-RAW-IN", "raw")).toEqual([
      "-i tap1 -j RETURN",
      "-s 10.9.0.0/16 -i cali9 -j RETURN",
      "-i cali+ -m rpfilter --invert -j DROP",
      "-i tap+ -m rpfilter --invert -j DROP",
    ]);
    expect(chain(config, 6, "RAMPART-RAW-IN", "raw")).toEqual([
      "-s 2001:db8:9::/48 -i cali9 -j RETURN",
      "-i cali+ -m rpfilter --invert -j DROP",
      "-i tap+ -m rpfilter --invert -j DROP",
    ]);
  });

  test("INPUT: judged without failsafes; answers to this host pass; neighbours are found, no router is announced", () => {
    expect(chain(config, 4, "RAMPART-INPUT")).toEqual([
      "-i cali+ -g RAMPART-INPUT-WORKLOAD",
      "-i tap+ -g RAMPART-INPUT-WORKLOAD",
      "-i eth0 -g RAMPART-INPUT-DECIDE",
    ]);
    const rules = chain(config, 6, "RAMPART-INPUT-WORKLOAD");
    expect(rules.slice(0, 8)).toEqual([
      ...[133, 135, 136].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 255 -j ACCEPT`),
      ...[130, 131, 132].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 1 -j ACCEPT`),
      "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -j ACCEPT",
      "-m conntrack --ctdir REPLY -j ACCEPT",
    ]);
    expect(rules.join("\n")).not.toMatch(/port|0x28000000/);
  });

  test("FORWARD judges both sides; OUTPUT and POSTROUTING leave what goes to them alone", () => {
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual(
      ["-i cali+", "-o cali+", "-i tap+", "-o tap+"].map((side) => `${side} -g RAMPART-FORWARD-DECIDE`),
    );
    expect(chain(config, 4, "RAMPART-OUTPUT")).toEqual([
      "-m conntrack --ctstate DNAT --ctdir ORIGINAL -g RAMPART-POSTPONE",
      "-o cali+ -j RETURN",
      "-o tap+ -j RETURN",
      "-o lo -j RETURN",
      "-g RAMPART-OUTPUT-DECIDE",
    ]);
  });

  test("without HostEndpoints there is nothing in OUTPUT, POSTROUTING and mangle", () => {
    const only = hookConfig({ input: NOWHERE, output: NOWHERE, workloads: workloads("cali") });
    const plan = planHooks(only, 4);
    expect(plan.jumps.map(({ table, from }) => `${table} ${from}`)).toEqual(["raw PREROUTING", "filter INPUT", "filter FORWARD"]);
    expect(plan.chains.map(({ name }) => name)).not.toContain("RAMPART-INPUT-DECIDE");
  });

  test.each(["", "cali+", "fifteen-bytes-x", "a b", "-x"])("prefix %j is refused", (prefix) => {
    expect(() => planHooks(hookConfig({ workloads: workloads(prefix) }), 4)).toThrow(
      expect.objectContaining({ code: "RAMPART_E_INTERFACE_NAME" }),
    );
  });
});

describe("local packets that DNAT sends elsewhere", () => {
  const config = hookConfig({ input: NOWHERE, output: EVERYWHERE, workloads: workloads("cali") });

  test("OUTPUT says so in the mark, POSTROUTING judges them on their way out, and nobody else", () => {
    expect(chain(config, 4, "RAMPART-POSTPONE")).toEqual(["-j MARK --set-xmark 0x10000000/0xff000000", "-j RETURN"]);
    expect(chain(config, 4, "RAMPART-POSTROUTING", "mangle")).toEqual([
      "-m mark --mark 0x0/0x13000000 -j RETURN",
      "-m mark ! --mark 0x0/0x3000000 -g RAMPART-POSTROUTING-DECIDE",
      "-o lo -g RAMPART-PASS",
      "-o cali+ -g RAMPART-PASS",
      "-g RAMPART-POSTROUTING-DECIDE",
    ]);
    expect(chain(config, 4, "RAMPART-POSTROUTING-DECIDE", "mangle")).toEqual([
      "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -g RAMPART-PASS",
      "-p udp -m udp --dport 53 -g RAMPART-RETURN",
      "-p tcp -m tcp --dport 179 -g RAMPART-RETURN",
      "-p tcp -m tcp --tcp-flags RST RST -m connmark --mark 0xff00/0xff00 -g RAMPART-PASS",
      "-p icmp -m icmp --icmp-type 3/3 -m connmark --mark 0xff00/0xff00 -g RAMPART-PASS",
      "-m mark --mark 0x21000000/0xe3000000 -g RAMPART-RETURN",
      "-m mark --mark 0x41000000/0xe3000000 -g RAMPART-RETURN-NEXT",
      "-m mark --mark 0x23000000/0xe3000000 -g RAMPART-RETURN",
      "-m mark --mark 0x43000000/0xe3000000 -g RAMPART-RETURN-NEXT",
      "-m mark --mark 0x22000000/0xe3000000 -j DROP",
      "-m mark --mark 0x42000000/0xe3000000 -j DROP",
      "-j MARK --set-xmark 0x0/0x1c000000",
      "-j NFQUEUE --queue-num 100",
    ]);
  });

  test("on an interface nobody governs they lose the mark and go", () => {
    const named = hookConfig({ input: NOWHERE, output: on("eth0") });
    expect(chain(named, 4, "RAMPART-POSTROUTING", "mangle").slice(2)).toEqual([
      "-o eth0 -g RAMPART-POSTROUTING-DECIDE",
      "-g RAMPART-PASS",
    ]);
  });
});

test("where the reader is not told the hook, PREROUTING and POSTROUTING have a queue of their own", () => {
  const queue = { first: 100, count: 1, aroundRouting: 101, bypass: true };
  const untracked = { inbound: ["eth0"], outbound: ["eth0"] };
  const config = hookConfig({ queue, untracked, preDNAT: on("eth0"), forward: on("eth0") });
  const queuedTo = (hook: HookName) => chain(config, 4, `RAMPART-${hook}-DECIDE`, HOOK_POINTS[hook].table).at(-1);
  const numbers = Object.fromEntries(HOOKS.map((hook) => [hook, /--queue-num (\d+) --queue-bypass$/.exec(queuedTo(hook) ?? "")?.[1]]));
  const edges = { "RAW-IN": "101", PREDNAT: "101", POSTROUTING: "101" };
  expect(numbers).toEqual({ ...edges, "RAW-OUT": "100", INPUT: "100", FORWARD: "100", OUTPUT: "100" });
});
