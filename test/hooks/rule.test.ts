import { describe, expect, test } from "vitest";
import { canonicalRule } from "../../src/hooks/rule.ts";

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
