import { describe, expect, it } from "vitest";
import type { PolicyClass } from "../../src/policy/decision.ts";
import { effectiveFelix, isFailsafe } from "../../src/policy/failsafe.ts";
import type { Direction } from "../../src/resources/types.ts";
import { failsafe, felix, NODE, packet, PROTOCOL, resourceSet } from "./build.ts";
import type { PacketOptions } from "./build.ts";

function listed(ports: readonly { protocol: string; port: number }[]): string {
  return ports.map(({ protocol, port }) => `${protocol}:${port}`).join(" ");
}

describe("the Felix settings in force on a node (SEMANTICS 1.13, 3.6)", () => {
  it("are Calico's defaults when nothing is configured", () => {
    const { failsafeInbound, failsafeOutbound, denyAction } = effectiveFelix(resourceSet(), NODE);
    expect(listed(failsafeInbound)).toBe(
      "tcp:22 udp:68 tcp:179 tcp:2379 tcp:2380 tcp:5473 tcp:6443 tcp:6666 tcp:6667",
    );
    expect(listed(failsafeOutbound)).toBe(
      "udp:53 udp:67 tcp:179 tcp:2379 tcp:2380 tcp:5473 tcp:6443 tcp:6666 tcp:6667",
    );
    expect([...failsafeInbound, ...failsafeOutbound].every(({ net }) => net === undefined)).toBe(true);
    expect(denyAction).toBe("Drop");
  });

  it("S29: a list replaces its own direction only", () => {
    const set = resourceSet({ felixConfigurations: [felix({ failsafeInbound: [failsafe("tcp", 2222)] })] });
    const { failsafeInbound, failsafeOutbound } = effectiveFelix(set, NODE);
    expect(listed(failsafeInbound)).toBe("tcp:2222");
    expect(failsafeOutbound).toHaveLength(9);
  });

  it("an empty list is none, not the defaults (trap 24)", () => {
    const set = resourceSet({ felixConfigurations: [felix({ failsafeInbound: [], failsafeOutbound: [] })] });
    expect(effectiveFelix(set, NODE)).toMatchObject({ failsafeInbound: [], failsafeOutbound: [] });
  });

  it("node.<host> overrides default field by field", () => {
    const set = resourceSet({
      felixConfigurations: [
        felix({ failsafeInbound: [failsafe("tcp", 1)], failsafeOutbound: [failsafe("tcp", 2)], denyAction: "Reject" }),
        felix({ name: `node.${NODE}`, failsafeInbound: [] }),
        felix({ name: "node.other-node", failsafeOutbound: [], denyAction: "Drop" }),
        felix({ name: "something-else", failsafeOutbound: [] }),
      ],
    });
    const { failsafeInbound, failsafeOutbound, denyAction } = effectiveFelix(set, NODE);
    expect([listed(failsafeInbound), listed(failsafeOutbound), denyAction]).toEqual(["", "tcp:2", "Reject"]);
  });

  it("has cali as workload prefix and drops what workloads send to their host, unless configured", () => {
    const defaults = { interfacePrefixes: ["cali"], defaultEndpointToHostAction: "Drop" };
    expect(effectiveFelix(resourceSet(), NODE)).toMatchObject(defaults);
    const set = resourceSet({
      felixConfigurations: [
        felix({ interfacePrefixes: ["tap", "veth"], defaultEndpointToHostAction: "Return" }),
        felix({ name: `node.${NODE}`, defaultEndpointToHostAction: "Accept" }),
      ],
    });
    const configured = { interfacePrefixes: ["tap", "veth"], defaultEndpointToHostAction: "Accept" };
    expect(effectiveFelix(set, NODE)).toMatchObject(configured);
  });
});

describe("where a failsafe port holds (SEMANTICS 3.2, 3.6)", () => {
  const set = resourceSet({
    felixConfigurations: [
      felix({ failsafeInbound: [failsafe("tcp", 22, "10.0.0.0/8")], failsafeOutbound: [failsafe("udp", 53)] }),
    ],
  });
  const ssh = { from: "10.0.0.9", port: 22 };
  const answer = { protocol: PROTOCOL.udp, sourcePort: 53, port: 40_000 };
  const sshAnswer = { from: "192.0.2.2", to: "10.0.0.9", sourcePort: 22, port: 40_000 };

  it.each<[PolicyClass, Direction, PacketOptions, boolean, string]>([
    ["normal", "ingress", ssh, true, "by destination port"],
    ["normal", "egress", ssh, false, "inbound ports are not outbound ones"],
    ["normal", "ingress", answer, false, "a source port counts for nothing"],
    ["forward", "ingress", ssh, false, "nothing is failsafe when forwarded (trap 23)"],
    ["preDNAT", "ingress", ssh, true, "the inbound list"],
    ["preDNAT", "ingress", answer, false, "by destination port only"],
    ["untracked", "ingress", ssh, true, "the inbound list by destination port"],
    ["untracked", "ingress", answer, true, "the outbound list by source port: a reply"],
    ["untracked", "egress", { ...answer, sourcePort: 1, port: 53 }, true, "the outbound list by destination port"],
    ["untracked", "egress", sshAnswer, true, "the inbound list by source port, its net against the peer"],
    ["untracked", "egress", { ...sshAnswer, to: "192.0.2.1" }, false, "outside its net"],
    ["untracked", "egress", ssh, false, "the inbound list by destination port is for packets that come in"],
  ])("%s %s %o: %s, %s", (policyClass, direction, options, expected) => {
    expect(isFailsafe(effectiveFelix(set, NODE), policyClass, direction, packet(options))).toBe(expected);
  });
});
