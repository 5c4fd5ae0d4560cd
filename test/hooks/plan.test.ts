/** The plan's filter table: INPUT, FORWARD and OUTPUT of HostEndpoints. */
import { describe, expect, test } from "vitest";
import { planHooks } from "../../src/hooks/plan.ts";
import { restoreText } from "../../src/hooks/text.ts";
import { chain, EVERYWHERE, failsafe, hookConfig, NOWHERE, on } from "./configs.ts";

describe("the text for one governed interface", () => {
  test("IPv4, word for word", () => {
    expect(restoreText(planHooks(hookConfig({ output: NOWHERE }), 4))).toBe(
      `*filter
:RAMPART-INPUT - [0:0]
:RAMPART-INPUT-DECIDE - [0:0]
:RAMPART-INPUT-ASK - [0:0]
:RAMPART-ALLOW - [0:0]
:RAMPART-ALLOW-NEXT - [0:0]
:RAMPART-RETURN - [0:0]
:RAMPART-RETURN-NEXT - [0:0]
:RAMPART-REJECT - [0:0]
-A RAMPART-INPUT -i eth0 -g RAMPART-INPUT-DECIDE
-A RAMPART-INPUT-DECIDE -m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -j ACCEPT
-A RAMPART-INPUT-DECIDE -p tcp -m tcp --dport 22 -m comment --comment "rampart:failsafe" -j RAMPART-ALLOW
-A RAMPART-INPUT-DECIDE -p udp -m udp --dport 68 -m comment --comment "rampart:failsafe" -j RAMPART-ALLOW
-A RAMPART-INPUT-DECIDE -p udp -m udp --sport 53 -m conntrack --ctdir REPLY -m comment --comment "rampart:failsafe-reply" -j ACCEPT
-A RAMPART-INPUT-DECIDE -p tcp -m tcp --sport 179 -m conntrack --ctdir REPLY -m comment --comment "rampart:failsafe-reply" -j ACCEPT
-A RAMPART-INPUT-DECIDE -m conntrack --ctstate INVALID -m comment --comment "rampart:invalid" -j DROP
-A RAMPART-INPUT-DECIDE -m mark --mark 0x0/0x3000000 -g RAMPART-INPUT-ASK
-A RAMPART-INPUT-DECIDE -m mark --mark 0x21000000/0xe3000000 -j RAMPART-ALLOW
-A RAMPART-INPUT-DECIDE -m mark --mark 0x41000000/0xe3000000 -m comment --comment "rampart:allowed-next" -j RAMPART-ALLOW-NEXT
-A RAMPART-INPUT-DECIDE -m mark --mark 0x23000000/0xe3000000 -m comment --comment "rampart:returned" -g RAMPART-RETURN
-A RAMPART-INPUT-DECIDE -m mark --mark 0x43000000/0xe3000000 -m comment --comment "rampart:returned-next" -g RAMPART-RETURN-NEXT
-A RAMPART-INPUT-DECIDE -m mark --mark 0x22000000/0xe3000000 -m comment --comment "rampart:rejected" -j RAMPART-REJECT
-A RAMPART-INPUT-DECIDE -m mark --mark 0x42000000/0xe3000000 -m comment --comment "rampart:rejected-next" -j RAMPART-REJECT
-A RAMPART-INPUT-DECIDE -j MARK --set-xmark 0x0/0x1c000000
-A RAMPART-INPUT-DECIDE -m conntrack --ctdir REPLY -j MARK --set-xmark 0x4000000/0x4000000
-A RAMPART-INPUT-DECIDE -j NFQUEUE --queue-num 100
-A RAMPART-INPUT-ASK -j MARK --set-xmark 0x0/0x1c000000
-A RAMPART-INPUT-ASK -m conntrack --ctdir REPLY -j MARK --set-xmark 0x4000000/0x4000000
-A RAMPART-INPUT-ASK -j NFQUEUE --queue-num 100
-A RAMPART-ALLOW -j CONNMARK --set-xmark 0x100/0xff00
-A RAMPART-ALLOW -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-ALLOW -j ACCEPT
-A RAMPART-ALLOW-NEXT -j CONNMARK --set-xmark 0x200/0xff00
-A RAMPART-ALLOW-NEXT -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-ALLOW-NEXT -j ACCEPT
-A RAMPART-RETURN -j CONNMARK --set-xmark 0x100/0xff00
-A RAMPART-RETURN -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-RETURN -m comment --comment "rampart:return" -j RETURN
-A RAMPART-RETURN-NEXT -j CONNMARK --set-xmark 0x200/0xff00
-A RAMPART-RETURN-NEXT -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-RETURN-NEXT -m comment --comment "rampart:return" -j RETURN
-A RAMPART-REJECT -j CONNMARK --set-xmark 0xff00/0xff00
-A RAMPART-REJECT -j MARK --set-xmark 0x0/0xff000000
-A RAMPART-REJECT -p tcp -m comment --comment "rampart:reset" -j REJECT --reject-with tcp-reset
-A RAMPART-REJECT -m comment --comment "rampart:unreachable" -j REJECT --reject-with icmp-port-unreachable
-I INPUT 1 -j RAMPART-INPUT
COMMIT
`,
    );
  });

  test("IPv6 OUTPUT: neighbour discovery first, refusals may leave", () => {
    const config = hookConfig({ input: NOWHERE });
    expect(chain(config, 6, "RAMPART-OUTPUT")).toEqual([
      "-m conntrack --ctstate DNAT --ctdir ORIGINAL -g RAMPART-POSTPONE",
      "-o eth0 -g RAMPART-OUTPUT-DECIDE",
    ]);
    expect(chain(config, 6, "RAMPART-OUTPUT-DECIDE")).toEqual([
      "-p ipv6-icmp -j RAMPART-ND",
      "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -j ACCEPT",
      "-p udp -m udp --dport 53 -j RAMPART-ALLOW",
      "-p tcp -m tcp --dport 179 -j RAMPART-ALLOW",
      "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m tcp --sport 22 -j ACCEPT",
      "-p udp -m udp --sport 68 -m conntrack --ctdir REPLY -j ACCEPT",
      "-p tcp -m tcp --tcp-flags RST RST -m connmark --mark 0xff00/0xff00 -j ACCEPT",
      "-p ipv6-icmp -m icmp6 --icmpv6-type 1/4 -m connmark --mark 0xff00/0xff00 -j ACCEPT",
      ...[1, 2, 3, 4].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m conntrack --ctstate RELATED -j ACCEPT`),
      "-m conntrack --ctstate INVALID -j DROP",
      "-m mark --mark 0x0/0x3000000 -g RAMPART-OUTPUT-ASK",
      "-m mark --mark 0x21000000/0xe3000000 -j RAMPART-ALLOW",
      "-m mark --mark 0x41000000/0xe3000000 -j RAMPART-ALLOW-NEXT",
      "-m mark --mark 0x23000000/0xe3000000 -g RAMPART-RETURN",
      "-m mark --mark 0x43000000/0xe3000000 -g RAMPART-RETURN-NEXT",
      "-m mark --mark 0x22000000/0xe3000000 -j RAMPART-REJECT",
      "-m mark --mark 0x42000000/0xe3000000 -j RAMPART-REJECT",
      "-j MARK --set-xmark 0x0/0x1c000000",
      "-m conntrack --ctdir REPLY -j MARK --set-xmark 0x4000000/0x4000000",
      "-j NFQUEUE --queue-num 100",
    ]);
    expect(chain(config, 6, "RAMPART-ND")).toEqual([
      ...[133, 134, 135, 136].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 255 -j ACCEPT`),
      ...[130, 131, 132, 143].map((type) => `-p ipv6-icmp -m icmp6 --icmpv6-type ${type} -m hl --hl-eq 1 -j ACCEPT`),
    ]);
    const forward = hookConfig({ forward: on("eth0") });
    expect(chain(forward, 6, "RAMPART-FORWARD-DECIDE").join("\n")).not.toContain("RAMPART-ND");
  });

  test("once connection tracking is known to be older, TCP in mid-stream belongs to nothing", () => {
    for (const hook of ["INPUT", "OUTPUT", "FORWARD"]) {
      const rules = (adoptOlder: boolean): string[] =>
        chain(hookConfig({ forward: on("eth0"), adoptOlder }), 4, `RAMPART-${hook}-DECIDE`);
      const midStream = "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP";
      expect(rules(true)).not.toContain(midStream);
      expect(rules(false).indexOf(midStream)).toBe(rules(false).indexOf("-m conntrack --ctstate INVALID -j DROP") + 1);
    }
  });
});

describe("scopes", () => {
  test("a wildcard governs everything, loopback returns first", () => {
    const config = hookConfig({ input: EVERYWHERE, output: EVERYWHERE, forward: EVERYWHERE });
    expect(chain(config, 4, "RAMPART-INPUT")).toEqual(["-i lo -j RETURN", "-g RAMPART-INPUT-DECIDE"]);
    expect(chain(config, 4, "RAMPART-OUTPUT")).toEqual([
      "-m conntrack --ctstate DNAT --ctdir ORIGINAL -g RAMPART-POSTPONE",
      "-o lo -j RETURN",
      "-g RAMPART-OUTPUT-DECIDE",
    ]);
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual(["-g RAMPART-FORWARD-DECIDE"]);
  });

  test("a forwarded packet is governed by either interface; failsafe ports do not apply to it", () => {
    const config = hookConfig({ forward: on("eth1", "eth0", "eth1") });
    expect(chain(config, 4, "RAMPART-FORWARD")).toEqual(
      ["-i eth0", "-o eth0", "-i eth1", "-o eth1"].map((side) => `${side} -g RAMPART-FORWARD-DECIDE`),
    );
    expect(chain(config, 4, "RAMPART-FORWARD-DECIDE").join("\n")).not.toMatch(/port/);
  });

  test("a hook that governs nothing has neither chain nor jump", () => {
    const plan = planHooks(hookConfig({ output: on("lo") }), 4);
    expect(plan.jumps.map((jump) => jump.from)).toEqual(["INPUT"]);
    expect(plan.chains.map((each) => each.name).join(" ")).not.toMatch(/OUTPUT|FORWARD/);
    expect(planHooks(hookConfig({ input: NOWHERE, output: NOWHERE, forward: NOWHERE }), 6)).toEqual({
      chains: [],
      jumps: [],
    });
  });

  test("policed loopback: INPUT alone declares a connection allowed, and a refusal may come in", () => {
    const config = hookConfig({ input: EVERYWHERE, output: EVERYWHERE, exemptLoopback: false });
    expect(chain(config, 4, "RAMPART-INPUT")).toEqual(["-g RAMPART-INPUT-DECIDE"]);
    expect(chain(config, 4, "RAMPART-ALLOW")[0]).toBe("! -o lo -j CONNMARK --set-xmark 0x100/0xff00");
    expect(chain(config, 4, "RAMPART-INPUT-DECIDE")).toContain(
      "-i lo -p tcp -m tcp --tcp-flags RST RST -m connmark --mark 0xff00/0xff00 -j ACCEPT",
    );
  });

  test.each(["eth+", "a b", "-i", "!x", 'e"h', "", "sixteen-bytes-xx", "a/b", "x\nCOMMIT"])(
    "interface name %j is refused",
    (name) => {
      expect(() => planHooks(hookConfig({ input: on(name) }), 4)).toThrow(
        expect.objectContaining({ code: "RAMPART_E_INTERFACE_NAME" }),
      );
    },
  );

  test.each(["eth0.100", "br-1234", "wg0", "veth@x", "a_b", "eno1np0:1"])("interface name %j is taken as it is", (name) => {
    expect(chain(hookConfig({ input: on(name) }), 4, "RAMPART-INPUT")).toEqual([`-i ${name} -g RAMPART-INPUT-DECIDE`]);
  });
});

describe("failsafe ports", () => {
  test("ports of one protocol and net share a rule, fifteen at most; order and repetition do not matter", () => {
    const ports = [...Array(17).keys()].map((i) => failsafe("tcp", 6017 - i));
    const config = hookConfig({ failsafeInbound: [...ports, ...ports], failsafeOutbound: [] });
    const opening = chain(config, 4, "RAMPART-INPUT-DECIDE").filter((rule) => rule.includes("dport"));
    const listed = [...Array(15).keys()].map((i) => 6001 + i).join(",");
    expect(opening).toEqual([
      `-p tcp -m multiport --dports ${listed} -j RAMPART-ALLOW`,
      "-p tcp -m multiport --dports 6016,6017 -j RAMPART-ALLOW",
    ]);
  });

  test("a net limits the far side, in its own family only; /0 of a family is no limit", () => {
    const config = hookConfig({
      failsafeInbound: [failsafe("tcp", 22, "10.0.0.0/8"), failsafe("sctp", 7, "::/0")],
      failsafeOutbound: [failsafe("udp", 53, "2001:db8::/32")],
    });
    const rules = (family: 4 | 6, hook: string): string[] =>
      chain(config, family, `RAMPART-${hook}-DECIDE`).filter((rule) => /port \d/.test(rule));
    expect(rules(4, "INPUT")).toEqual(["-s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j RAMPART-ALLOW"]);
    expect(rules(4, "OUTPUT")).toEqual([
      "-d 10.0.0.0/8 -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m tcp --sport 22 -j ACCEPT",
    ]);
    expect(rules(6, "INPUT")).toEqual([
      "-p sctp -m sctp --dport 7 -j RAMPART-ALLOW",
      "-s 2001:db8::/32 -p udp -m udp --sport 53 -m conntrack --ctdir REPLY -j ACCEPT",
    ]);
    expect(rules(6, "OUTPUT")).toEqual([
      "-d 2001:db8::/32 -p udp -m udp --dport 53 -j RAMPART-ALLOW",
      "-p sctp -m sctp --sport 7 -m conntrack --ctdir REPLY -j ACCEPT",
    ]);
  });
});

test.each([
  ["one by number, bypass when asked for", { first: 7, count: 1, bypass: true }, "--queue-num 7 --queue-bypass"],
  ["several balanced", { first: 7, count: 4, bypass: false }, "--queue-balance 7:10"],
])("queues: %s", (_, queue, expected) => {
  const rules = chain(hookConfig({ queue }), 4, "RAMPART-INPUT-DECIDE");
  expect(rules.at(-1)).toBe(`-j NFQUEUE ${expected}`);
});

test("numbers out of range are refused", () => {
  for (const generation of [0, 255, 1.5]) expect(() => planHooks(hookConfig({ generation }), 4)).toThrow(RangeError);
  for (const [first, count] of [[65535, 2], [-1, 1], [0, 0]] as const) {
    expect(() => planHooks(hookConfig({ queue: { first, count, bypass: false } }), 4)).toThrow(RangeError);
  }
});

test("the last generation is followed by the first", () => {
  const rules = chain(hookConfig({ generation: 254 }), 4, "RAMPART-ALLOW-NEXT");
  expect(rules[0]).toBe("-j CONNMARK --set-xmark 0x100/0xff00");
});
