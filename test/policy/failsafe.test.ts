import { describe, expect, it } from "vitest";
import { effectiveFelix } from "../../src/policy/failsafe.ts";
import { failsafe, felix, NODE, resourceSet } from "./build.ts";

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
});
