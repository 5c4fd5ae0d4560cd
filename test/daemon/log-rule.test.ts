import { describe, expect, it } from "vitest";
import { LogRuleLimit, logPrefix } from "../../src/daemon/log-rule.ts";

const RULE = { tier: "security", policy: "deny-all", rule: "ingress[0]" };

describe("the prefix of a Log rule's lines (SEMANTICS 1.13)", () => {
  it("is what is configured, and a colon", () => {
    expect(logPrefix("calico-packet", RULE)).toBe("calico-packet: ");
    expect(logPrefix("", RULE)).toBe(": ");
  });

  it.each([
    ["a GlobalNetworkPolicy", RULE, "security gnp deny-all deny-all: "],
    ["a NetworkPolicy", { ...RULE, policy: "shop/db" }, "security np db shop/db: "],
    ["a Kubernetes one", { ...RULE, policy: "shop/knp.default.db" }, "security knp db shop/db: "],
    ["a profile", { ...RULE, tier: "", policy: "kns.shop" }, " pro kns.shop kns.shop: "],
  ])("names %s", (_what, rule, expected) => {
    expect(logPrefix("%t %k %n %p", rule)).toBe(expected);
  });

  it("leaves alone what is no specifier, and what a name brings", () => {
    expect(logPrefix("100% %x", RULE)).toBe("100% %x: ");
    expect(logPrefix("%n", { ...RULE, policy: "%t" })).toBe("%t: ");
  });
});

describe("the limit of a Log rule", () => {
  const RATE = { count: 2, seconds: 60 };

  it("lets a burst through, then what the rate fills in", () => {
    const limit = new LogRuleLimit();
    const admits = (now: number): boolean => limit.admits(RULE, RATE, 3, now);
    expect([0, 1, 2, 3].map(admits)).toEqual([true, true, true, false]);
    expect([29_000, 30_010, 30_020].map(admits)).toEqual([false, true, false]);
  });

  it("is each rule's own", () => {
    const limit = new LogRuleLimit();
    expect(limit.admits(RULE, RATE, 1, 0)).toBe(true);
    expect(limit.admits({ ...RULE, rule: "ingress[1]" }, RATE, 1, 0)).toBe(true);
    expect(limit.admits(RULE, RATE, 1, 0)).toBe(false);
  });

  it("never saves up more than the burst", () => {
    const limit = new LogRuleLimit();
    limit.admits(RULE, RATE, 2, 0);
    const later = 86_400_000;
    expect([later, later, later].map((now) => limit.admits(RULE, RATE, 2, now))).toEqual([true, true, false]);
  });

  it("is none where no rate is set", () => {
    const limit = new LogRuleLimit();
    expect(Array.from({ length: 100 }, () => limit.admits(RULE, undefined, 1, 0)).every(Boolean)).toBe(true);
  });
});
