import { describe, expect, test } from "vitest";
import { canonicalRule, gotoRule, rule, ruleName } from "../../src/hooks/rule.ts";

describe("two texts of one rule", () => {
  test("are equal whatever the version prints", () => {
    const same = [
      ['-p tcp -m tcp --dport 22 -m comment --comment "rampart:x" -j ACCEPT', "-p 6 -m comment --comment rampart:x -m tcp --dport 22 -j ACCEPT"],
      ["-m connmark --mark 0x1/0xffffffff -j ACCEPT", "-m connmark --mark 1 -j ACCEPT"],
      ["-p ipv6-icmp -j X", "-p icmpv6 -j X"],
      ["-m mark --mark 0x0/0x300 -m connmark --mark 0x1/0xf -j ACCEPT", "-m connmark --mark 0x1/0xf -m mark --mark 0/768 -j ACCEPT"],
    ] as const;
    for (const [one, other] of same) expect(canonicalRule(one)).toBe(canonicalRule(other));
  });

  test("differ when the rule differs", () => {
    const base = "-p tcp -m tcp --tcp-flags RST RST -m mark --mark 0x1/0x3 -j ACCEPT";
    for (const other of [
      "-p tcp -m tcp ! --tcp-flags RST RST -m mark --mark 0x1/0x3 -j ACCEPT",
      "-p tcp -m tcp --tcp-flags RST RST -m connmark --mark 0x1/0x3 -j ACCEPT",
      "-p tcp -m tcp --tcp-flags RST RST -m mark --mark 0x1/0x7 -j ACCEPT",
      "-p tcp -m tcp --tcp-flags RST RST -m mark --mark 0x1/0x3 -j DROP",
      "-p udp -m tcp --tcp-flags RST RST -m mark --mark 0x1/0x3 -j ACCEPT",
    ]) {
      expect(canonicalRule(other)).not.toBe(canonicalRule(base));
    }
  });
});

describe("the name of a rule", () => {
  test("is no comment, which is a match, where every packet or every queued one is asked for it", () => {
    const hot = [
      rule("jump", "", "RAMPART-INPUT"),
      gotoRule("governed", "-i eth0", "RAMPART-INPUT-DECIDE"),
      gotoRule("governed", "", "RAMPART-RAW-IN-DECIDE"),
      rule("fast-path", "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000", "ACCEPT"),
      gotoRule("undecided", "-m mark --mark 0x0/0x3000000", "RAMPART-INPUT-ASK"),
      rule("clear", "", "MARK --set-xmark 0x0/0x1c000000"),
      rule("reply", "-m conntrack --ctdir REPLY", "MARK --set-xmark 0x4000000/0x4000000"),
      rule("queued", "", "NFQUEUE --queue-balance 100:103 --queue-bypass"),
      rule("allowed", "-m mark --mark 0x21000000/0xe3000000", "RAMPART-ALLOW"),
      rule("save", "! -o lo", "CONNMARK --set-xmark 0x100/0xff00"),
      rule("accept", "", "ACCEPT"),
    ];
    expect(hot.filter((text) => text.includes("comment"))).toEqual([]);
    const names = ["jump", "governed", "governed", "fast-path", "undecided", "clear", "reply", "queued", "allowed", "save", "accept"];
    expect(hot.map(ruleName)).toEqual(names);
  });

  test("is a comment where the form says another name, or none", () => {
    for (const [name, text] of [
      ["admit", rule("admit", "", "RETURN")],
      ["not-accepted", rule("not-accepted", "", "MARK --set-xmark 0x0/0x8000000")],
      ["accepted", rule("accepted", "-m mark --mark 0x28000000/0xf8000000", "RAMPART-ALLOW")],
      ["allowed-next", rule("allowed-next", "-m mark --mark 0x41000000/0xe3000000", "RAMPART-ALLOW-NEXT")],
    ] as const) {
      expect(text).toContain(`-m comment --comment "rampart:${name}" `);
      expect(ruleName(text)).toBe(name);
    }
    expect(ruleName("-p tcp -m tcp --dport 22 -j ACCEPT")).toBeUndefined();
  });

  test("is read from a comment, too, where an earlier daemon's rule has one", () => {
    const fastPath = "-m connmark --mark 0x100/0xff00 -m mark --mark 0x0/0x3000000 -m comment";
    expect(ruleName(`${fastPath} --comment "rampart:fast-path" -j ACCEPT`)).toBe("fast-path");
    expect(ruleName(`${fastPath} --comment rampart:fast-path -j ACCEPT`)).toBe("fast-path");
  });
});
