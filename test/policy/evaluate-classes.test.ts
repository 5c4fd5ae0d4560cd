import { describe, expect, it } from "vitest";
import type { PolicyClass, PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Direction, ResourceSet } from "../../src/resources/types.ts";
import { felix, hostEndpoint, NODE, packet, policy, profile, PROTOCOL, resourceSet, tier } from "./build.ts";
import { said } from "./said.ts";

const { tcp, udp } = PROTOCOL;
const web = packet({ port: 80 });
const ssh = packet({ port: 22 });
const deny = [{ action: "Deny" }] as const;

function decide(
  set: ResourceSet,
  policyClass: PolicyClass,
  direction: Direction,
  what: PolicyPacket,
  profiles: readonly string[] = [],
): string {
  return said(evaluateEndpoint(set, NODE, hostEndpoint({ profiles }), policyClass, direction, what));
}

describe("preDNAT policies (SEMANTICS 3.1, 3.5)", () => {
  const set = resourceSet({
    policies: [policy({ name: "pre", preDNAT: true, ingress: [{ protocol: tcp, destination: { ports: [80] } }] })],
  });

  it("allow or deny by their rules; without a match the packet goes on, there is no implicit deny (trap 15)", () => {
    expect(decide(set, "preDNAT", "ingress", web)).toBe("allow policy default/pre/ingress[0]");
    expect(decide(set, "preDNAT", "ingress", packet({ port: 81 }))).toBe("continue no-match");
    const denying = resourceSet({ policies: [policy({ name: "pre", preDNAT: true, ingress: deny })] });
    expect(decide(denying, "preDNAT", "ingress", web)).toBe("deny policy default/pre/ingress[0]");
  });

  it("are no normal policies: local traffic stays denied (trap 15)", () => {
    expect(decide(set, "normal", "ingress", web)).toBe("deny no-policy");
  });

  it("are no applyOnForward policies, though the flag is set", () => {
    expect(decide(set, "forward", "ingress", web)).toBe("allow forward-default");
  });

  it("leave a failsafe port to the next class, before any Deny", () => {
    const denying = resourceSet({ policies: [policy({ preDNAT: true, ingress: deny })] });
    expect(decide(denying, "preDNAT", "ingress", ssh)).toBe("continue failsafe");
  });

  it("consult no profile, and a tier that ends or passes ends nothing else", () => {
    const passing = resourceSet({
      tiers: [tier("first", 1), tier("second", 2)],
      policies: [
        policy({ name: "a", tier: "first", order: 1, preDNAT: true, ingress: [{ action: "Pass", protocol: tcp }] }),
        policy({ name: "b", tier: "first", order: 5, preDNAT: true, ingress: deny }),
        policy({ name: "c", tier: "second", preDNAT: true, ingress: [{ protocol: udp }] }),
        policy({ name: "d", preDNAT: true, ingress: [{ protocol: tcp }] }),
      ],
    });
    expect(decide(passing, "preDNAT", "ingress", web, ["projectcalico-default-allow"])).toBe(
      "allow policy default/d/ingress[0]",
    );
  });
});

describe("doNotTrack policies (SEMANTICS 3.1, 3.6)", () => {
  const set = resourceSet({
    policies: [
      policy({
        name: "raw",
        doNotTrack: true,
        types: ["ingress", "egress"],
        ingress: [{ protocol: tcp, destination: { ports: [80] } }, { action: "Deny", protocol: udp }],
      }),
    ],
  });

  it("allow, deny, or leave the packet to connection tracking", () => {
    expect(decide(set, "untracked", "ingress", web)).toBe("allow policy default/raw/ingress[0]");
    expect(decide(set, "untracked", "ingress", packet({ protocol: udp }))).toBe("deny policy default/raw/ingress[1]");
    expect(decide(set, "untracked", "ingress", packet({ port: 81 }))).toBe("continue no-match");
    expect(decide(set, "untracked", "egress", web)).toBe("continue no-match");
  });

  it("are no normal and no applyOnForward policies", () => {
    expect(decide(set, "normal", "ingress", web)).toBe("deny no-policy");
    expect(decide(set, "forward", "ingress", web)).toBe("allow forward-default");
  });

  it("leave failsafe ports, also as source port of the other direction, to connection tracking (trap 25)", () => {
    const denying = resourceSet({
      policies: [policy({ doNotTrack: true, ingress: deny, egress: deny })],
    });
    expect(decide(denying, "untracked", "ingress", ssh)).toBe("continue failsafe");
    expect(decide(denying, "untracked", "egress", packet({ sourcePort: 22, port: 5 }))).toBe("continue failsafe");
    expect(decide(denying, "normal", "egress", packet({ sourcePort: 22, port: 5 }))).toBe("deny no-policy");
    const none = { ...denying, felixConfigurations: [felix({ failsafeInbound: [], failsafeOutbound: [] })] };
    expect(decide(none, "untracked", "ingress", ssh)).toBe("deny policy default/policy/ingress[0]");
  });
});

describe("staged policies (SEMANTICS 1.14, trap 49)", () => {
  it("row 92: a tier that has only staged ones is no tier: no Deny, no end of tier", () => {
    const set = resourceSet({
      tiers: [tier("first", 10)],
      policies: [
        policy({ name: "s", tier: "first", staged: true, ingress: deny }),
        policy({ name: "d", ingress: [{}] }),
      ],
    });
    expect(decide(set, "normal", "ingress", web)).toBe("allow policy default/d/ingress[0]");
    const alone = resourceSet({ policies: [policy({ staged: true, ingress: deny })] });
    expect(decide(alone, "normal", "ingress", web, ["projectcalico-default-allow"])).toBe("allow profile");
  });

  it("are passed over among enforced ones, and their Allow allows nothing", () => {
    const set = resourceSet({
      policies: [
        policy({ name: "a", order: 1, staged: true, ingress: [{}] }),
        policy({ name: "b", order: 2, ingress: [{ protocol: udp }] }),
      ],
    });
    expect(decide(set, "normal", "ingress", web)).toBe("deny end-of-tier default");
  });

  it("with applyOnForward do not stop forwarding", () => {
    const set = resourceSet({ policies: [policy({ staged: true, applyOnForward: true, types: ["ingress"] })] });
    expect(decide(set, "forward", "ingress", web)).toBe("allow forward-default");
  });
});

describe("profiles (SEMANTICS 1.8, 3.1)", () => {
  const set = resourceSet({
    profiles: [
      profile("web", { ingress: [{ protocol: tcp, destination: { ports: [80] } }], egress: deny }),
      profile("no-udp", { ingress: [{ action: "Deny", protocol: udp }, {}] }),
      profile("passing", { ingress: [{ action: "Pass" }] }),
      profile("logging", { ingress: [{ action: "Log" }] }),
    ],
  });

  it("are asked in the order the endpoint lists them: the first rule that matches decides", () => {
    expect(decide(set, "normal", "ingress", web, ["web", "no-udp"])).toBe("allow profile");
    expect(decide(set, "normal", "ingress", packet({ protocol: udp }), ["web", "no-udp"])).toBe("deny profile");
    expect(decide(set, "normal", "ingress", packet({ port: 81 }), ["web", "no-udp"])).toBe("allow profile");
    expect(decide(set, "normal", "egress", web, ["web", "projectcalico-default-allow"])).toBe("deny profile");
  });

  it("deny what none of their rules matches", () => {
    expect(decide(set, "normal", "ingress", packet({ port: 81 }), ["web"])).toBe("deny no-policy");
    expect(decide(set, "normal", "ingress", web, ["gone"])).toBe("deny no-policy");
  });

  it("deny with Pass (trap 47)", () => {
    expect(decide(set, "normal", "ingress", web, ["passing", "web"])).toBe("deny profile");
  });

  it("note a Log under the profile's name, and go on", () => {
    expect(decide(set, "normal", "ingress", web, ["logging", "web"])).toBe("allow profile log logging[0]");
  });

  it("are asked only where no tier decided", () => {
    const profiles = [...set.profiles.values()];
    const policed = resourceSet({ policies: [policy({ ingress: [{ protocol: udp }] })], profiles });
    expect(decide(policed, "normal", "ingress", web, ["web"])).toBe("deny end-of-tier default");
    expect(decide(policed, "normal", "egress", web, ["projectcalico-default-allow"])).toBe("allow profile");
  });
});
