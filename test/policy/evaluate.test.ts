import { describe, expect, it } from "vitest";
import type { Decision, PolicyClass, PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Direction, HostEndpoint, ResourceSet } from "../../src/resources/types.ts";
import { failsafe, felix, hostEndpoint, NODE, packet, policy, PROTOCOL, resourceSet, tier } from "./build.ts";
import { said } from "./said.ts";

const { tcp, udp, icmp, icmpv6 } = PROTOCOL;
const endpoint = hostEndpoint({ labels: { role: "web" } });
const ping = packet({ icmp: [8, 0] });
const web = packet({ port: 80 });

function decide(
  set: ResourceSet,
  direction: Direction,
  what: PolicyPacket,
  { policyClass = "normal", on = endpoint }: { policyClass?: PolicyClass; on?: HostEndpoint } = {},
): Decision {
  return evaluateEndpoint(set, NODE, on, policyClass, direction, what);
}

describe("default outcomes of a HostEndpoint (SEMANTICS 3.5)", () => {
  it("without policy and profile denies local traffic both ways", () => {
    const set = resourceSet({ hostEndpoints: [endpoint] });
    expect(said(decide(set, "ingress", web))).toBe("deny no-policy");
    expect(said(decide(set, "egress", web))).toBe("deny no-policy");
  });

  it("with profile projectcalico-default-allow and no policy allows", () => {
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    const set = resourceSet({ hostEndpoints: [on] });
    expect(said(decide(set, "ingress", web, { on }))).toBe("allow profile");
    expect(said(decide(set, "egress", web, { on }))).toBe("allow profile");
  });

  it("with a profile that has no rules denies", () => {
    const on = hostEndpoint({ profiles: ["other"] });
    expect(said(decide(resourceSet(), "ingress", web, { on }))).toBe("deny no-policy");
  });

  it("with only ingress policies leaves egress to profiles, else denied (trap 12)", () => {
    const set = resourceSet({ policies: [policy({ name: "in", ingress: [{}] })] });
    expect(said(decide(set, "ingress", web))).toBe("allow policy default/in/ingress[0]");
    expect(said(decide(set, "egress", web))).toBe("deny no-policy");
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    expect(said(decide(set, "egress", web, { on }))).toBe("allow profile");
  });

  it("forwards by default while it has no applyOnForward policy at all (trap 14)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{ action: "Deny" }] })] });
    const forward = { policyClass: "forward" } as const;
    expect(said(decide(set, "ingress", web, forward))).toBe("allow forward-default");
    expect(said(decide(set, "egress", web, forward))).toBe("allow forward-default");
  });

  it("with an applyOnForward policy for ingress only does not deny forwarded egress (trap 14)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{ protocol: tcp }], applyOnForward: true })] });
    const forward = { policyClass: "forward" } as const;
    expect(said(decide(set, "ingress", web, forward))).toBe("allow policy default/policy/ingress[0]");
    expect(said(decide(set, "ingress", ping, forward))).toBe("deny end-of-tier default");
    expect(said(decide(set, "egress", ping, forward))).toBe("continue forward-default");
  });

  it("ignores an applyOnForward policy that selects another endpoint", () => {
    const elsewhere = policy({ selector: "role == 'db'", types: ["ingress"], applyOnForward: true });
    const set = resourceSet({ policies: [elsewhere] });
    expect(said(decide(set, "ingress", web, { policyClass: "forward" }))).toBe("allow forward-default");
  });

  it("consults no profile for forwarded traffic: Pass out of the last tier continues", () => {
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    const set = resourceSet({ policies: [policy({ ingress: [{ action: "Pass" }], applyOnForward: true })] });
    expect(said(decide(set, "ingress", web, { policyClass: "forward", on }))).toBe("continue forward-default");
    expect(said(decide(set, "ingress", web, { on }))).toBe("allow profile");
  });

  it("takes an applyOnForward policy as a normal policy too (trap 13)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{}], applyOnForward: true })] });
    expect(said(decide(set, "ingress", web))).toBe("allow policy default/policy/ingress[0]");
  });
});

describe("policies of one tier (SEMANTICS 3.1)", () => {
  it("S6: a policy that matches nothing gives no verdict, the next one is asked (trap 1)", () => {
    const set = resourceSet({
      policies: [
        policy({ name: "default-deny", order: 1000, types: ["ingress"] }),
        policy({ name: "allow-ping", ingress: [{ protocol: icmp, icmp: { type: 8 } }] }),
      ],
    });
    expect(said(decide(set, "ingress", ping))).toBe("allow policy default/allow-ping/ingress[0]");
    expect(said(decide(set, "ingress", web))).toBe("deny end-of-tier default");
  });

  it("S21: a policy meant only to block ICMP denies everything else at the end of the tier (trap 2)", () => {
    const denyIcmp = [{ action: "Deny", protocol: icmp }] as const;
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    const set = resourceSet({
      policies: [policy({ name: "block-icmp", order: 200, selector: "all()", ingress: denyIcmp, egress: denyIcmp })],
    });
    for (const direction of ["ingress", "egress"] as const) {
      expect(said(decide(set, direction, ping, { on }))).toBe(`deny policy default/block-icmp/${direction}[0]`);
      expect(said(decide(set, direction, web, { on }))).toBe("deny end-of-tier default");
    }
  });

  it("S22: the lower order is asked first, and order 0 is not unset (trap 32)", () => {
    const deny = [{ action: "Deny", protocol: icmp }] as const;
    const allow = [{ action: "Allow", protocol: icmp }] as const;
    const set = resourceSet({
      policies: [
        policy({ name: "block-icmp", order: 200, ingress: deny, egress: deny }),
        policy({ name: "deny-icmp-kube-02", order: 0, selector: "role == 'web'", ingress: allow, egress: allow }),
      ],
    });
    expect(said(decide(set, "ingress", ping))).toBe("allow policy default/deny-icmp-kube-02/ingress[0]");
    expect(said(decide(set, "ingress", web))).toBe("deny end-of-tier default");
    expect(said(decide(set, "ingress", packet({ port: 22 })))).toBe("allow failsafe");
    const other = hostEndpoint({ name: "other" });
    expect(said(decide(set, "ingress", ping, { on: other }))).toBe("deny policy default/block-icmp/ingress[0]");
  });

  it("a policy without selector selects HostEndpoints too (trap 3)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{}] })] });
    expect(said(decide(set, "ingress", web, { on: hostEndpoint() }))).toBe("allow policy default/policy/ingress[0]");
  });

  it("a negated selector selects endpoints without the label (trap 9)", () => {
    const set = resourceSet({ policies: [policy({ selector: "! role == 'web'", ingress: [{}] })] });
    expect(said(decide(set, "ingress", web, { on: hostEndpoint() }))).toBe("allow policy default/policy/ingress[0]");
    expect(said(decide(set, "ingress", web))).toBe("deny no-policy");
  });

  it("the first rule that matches decides", () => {
    const set = resourceSet({
      policies: [policy({ ingress: [{ protocol: udp }, { action: "Deny", protocol: tcp }, { protocol: tcp }] })],
    });
    expect(said(decide(set, "ingress", web))).toBe("deny policy default/policy/ingress[1]");
  });

  it("rules of a direction that is not in types are ignored", () => {
    const set = resourceSet({ policies: [policy({ types: ["egress"], ingress: [{}], egress: [{}] })] });
    expect(said(decide(set, "ingress", web))).toBe("deny no-policy");
  });

  it("a policy with the direction in types and no rules denies at the end of the tier", () => {
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    const set = resourceSet({ policies: [policy({ types: ["ingress", "egress"], ingress: [{}] })] });
    expect(said(decide(set, "egress", web, { on }))).toBe("deny end-of-tier default");
  });

  it("Log is noted, in order, and the search goes on; it is no match for the end of the tier (trap 48)", () => {
    const set = resourceSet({
      policies: [
        policy({ name: "a", order: 1, ingress: [{ action: "Log" }, { action: "Log", protocol: udp }] }),
        policy({ name: "b", order: 2, ingress: [{ action: "Log", protocol: tcp }] }),
        policy({ name: "c", order: 3, ingress: [{ protocol: icmp }, { action: "Log" }] }),
      ],
    });
    expect(said(decide(set, "ingress", ping))).toBe("allow policy default/c/ingress[0] log a[0]");
    expect(said(decide(set, "ingress", web))).toBe("deny end-of-tier default log a[0] log b[0] log c[1]");
  });
});

describe("tiers (SEMANTICS 1.6, 3.1)", () => {
  const first = tier("first", 10);

  it("a tier's end denies before the next tier is reached", () => {
    const set = resourceSet({
      tiers: [first],
      policies: [
        policy({ name: "f", tier: "first", ingress: [{ protocol: udp }] }),
        policy({ name: "d", ingress: [{}] }),
      ],
    });
    expect(said(decide(set, "ingress", web))).toBe("deny end-of-tier first");
  });

  it("a tier without policies for this endpoint and direction is no tier", () => {
    const set = resourceSet({
      tiers: [first],
      policies: [
        policy({ name: "elsewhere", tier: "first", selector: "role == 'db'", ingress: [{ action: "Deny" }] }),
        policy({ name: "other-way", tier: "first", egress: [{ action: "Deny" }] }),
        policy({ name: "d", ingress: [{}] }),
      ],
    });
    expect(said(decide(set, "ingress", web))).toBe("allow policy default/d/ingress[0]");
  });

  it("Pass leaves the tier, not only the policy (trap 47)", () => {
    const set = resourceSet({
      tiers: [first],
      policies: [
        policy({ name: "a", tier: "first", order: 1, ingress: [{ action: "Pass", protocol: tcp }] }),
        policy({ name: "b", tier: "first", order: 2, ingress: [{ action: "Deny" }] }),
        policy({ name: "d", ingress: [{ protocol: tcp }] }),
      ],
    });
    expect(said(decide(set, "ingress", web))).toBe("allow policy default/d/ingress[0]");
    expect(said(decide(set, "ingress", ping))).toBe("deny policy first/b/ingress[0]");
  });

  it("Pass in the last tier leads to the profiles (trap 47)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{ action: "Pass" }] })] });
    expect(said(decide(set, "ingress", web))).toBe("deny no-policy");
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    expect(said(decide(set, "ingress", web, { on }))).toBe("allow profile");
  });

  it("default action Pass goes on to the next tier, and after the last to the profiles", () => {
    const on = hostEndpoint({ profiles: ["projectcalico-default-allow"] });
    const passing = policy({ name: "b", tier: "kube-baseline", ingress: [{ action: "Deny", protocol: udp }] });
    const set = resourceSet({
      tiers: [tier("first", 10, "Pass")],
      policies: [policy({ name: "f", tier: "first", types: ["ingress"] }), passing],
    });
    expect(said(decide(set, "ingress", web, { on }))).toBe("allow profile");
    const datagram = packet({ protocol: udp });
    expect(said(decide(set, "ingress", datagram, { on }))).toBe("deny policy kube-baseline/b/ingress[0]");
  });

  it("an unset tier order comes after every other", () => {
    const set = resourceSet({
      tiers: [tier("a-last", undefined)],
      policies: [
        policy({ name: "last", tier: "a-last", ingress: [{}] }),
        policy({ name: "d", ingress: [{ action: "Deny" }] }),
      ],
    });
    expect(said(decide(set, "ingress", web))).toBe("deny policy default/d/ingress[0]");
  });
});

describe("failsafe ports in the evaluator (SEMANTICS 3.6)", () => {
  const deny = [{ action: "Deny" }] as const;
  const denyAll = policy({ order: 0, ingress: deny, egress: deny, applyOnForward: true });

  it("beat an explicit Deny at order 0, over IPv4 and IPv6", () => {
    const set = resourceSet({ policies: [denyAll] });
    expect(said(decide(set, "ingress", packet({ port: 22 })))).toBe("allow failsafe");
    expect(said(decide(set, "ingress", packet({ from: "2001:db8::1", port: 22 })))).toBe("allow failsafe");
    expect(said(decide(set, "egress", packet({ protocol: udp, port: 53 })))).toBe("allow failsafe");
  });

  it("keep their direction, protocol and destination port (trap 24)", () => {
    const set = resourceSet({ policies: [denyAll] });
    for (const [direction, what] of [
      ["egress", packet({ port: 22 })],
      ["ingress", packet({ protocol: udp, port: 53 })],
      ["egress", packet({ protocol: tcp, port: 53 })],
      ["ingress", packet({ protocol: udp, port: 22 })],
      ["ingress", packet({ sourcePort: 22, port: 80 })],
    ] as const) {
      expect(decide(set, direction, what).verdict).toBe("deny");
    }
  });

  it("do not hold for forwarded traffic (trap 23)", () => {
    const set = resourceSet({ policies: [denyAll] });
    const decision = decide(set, "ingress", packet({ port: 22 }), { policyClass: "forward" });
    expect(said(decision)).toBe("deny policy default/policy/ingress[0]");
  });

  it("row 91: with a net allow the peer inside it only, the rest goes by policy", () => {
    const list = [failsafe("tcp", 22, "10.0.0.0/8")];
    const set = resourceSet({
      policies: [denyAll],
      felixConfigurations: [felix({ failsafeInbound: list, failsafeOutbound: list })],
    });
    const inside = packet({ from: "10.1.2.3", to: "192.0.2.2", port: 22 });
    const outside = packet({ from: "192.0.2.2", to: "10.1.2.3", port: 22 });
    expect(said(decide(set, "ingress", inside))).toBe("allow failsafe");
    expect(decide(set, "ingress", outside).verdict).toBe("deny");
    expect(decide(set, "egress", inside).verdict).toBe("deny");
    expect(said(decide(set, "egress", outside))).toBe("allow failsafe");
    expect(decide(set, "ingress", packet({ from: "2001:db8::1", port: 22 })).verdict).toBe("deny");
  });

  it("an empty list disables them, an unset one means the defaults (trap 24)", () => {
    const set = resourceSet({ felixConfigurations: [felix({ failsafeInbound: [] })] });
    expect(said(decide(set, "ingress", packet({ port: 22 })))).toBe("deny no-policy");
    expect(said(decide(set, "egress", packet({ port: 6443 })))).toBe("allow failsafe");
  });
});

describe("both families in one policy", () => {
  it("ICMP is an IPv4 rule, ICMPv6 an IPv6 rule (trap 33)", () => {
    const set = resourceSet({ policies: [policy({ ingress: [{ protocol: icmp }, { protocol: icmpv6 }] })] });
    const ping6 = packet({ from: "2001:db8::1", icmp: [128, 0] });
    expect(said(decide(set, "ingress", ping))).toBe("allow policy default/policy/ingress[0]");
    expect(said(decide(set, "ingress", ping6))).toBe("allow policy default/policy/ingress[1]");
    const wrong = packet({ from: "2001:db8::1", protocol: icmp });
    expect(said(decide(set, "ingress", wrong))).toBe("deny end-of-tier default");
  });
});
