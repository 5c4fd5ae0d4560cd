import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import { openPorts } from "../../src/policy/open-ports.ts";
import type { PortRange, ResourceSet } from "../../src/resources/types.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "./arbitraries.ts";
import { hostEndpoint, NODE, policy, PROTOCOL, profile, resourceSet, type RuleOptions, workloadEndpoint } from "./build.ts";

function range(min: number, max = min): PortRange {
  return { min, max };
}

function ports(...list: (number | readonly [number, number])[]): Pick<RuleOptions, "destination"> {
  return { destination: { ports: list } };
}

const TCP = { protocol: PROTOCOL.tcp };
const UDP = { protocol: PROTOCOL.udp };

function open(options: Parameters<typeof resourceSet>[0]) {
  return openPorts(resourceSet({ hostEndpoints: [hostEndpoint()], ...options }), NODE);
}

describe("open ports", () => {
  it("are those of rules that allow, by protocol, in order and joined", () => {
    const ingress: RuleOptions[] = [
      { ...TCP, ...ports(443, [80, 90], [91, 95]) },
      { ...UDP, ...ports(53) },
      { ...TCP, action: "Deny", ...ports(22) },
      { ...TCP, action: "Log", ...ports(23) },
    ];
    expect(open({ policies: [policy({ ingress })] })).toEqual({ tcp: [range(80, 95), range(443)], udp: [range(53)] });
  });

  it("are none where nothing is allowed, and any where a rule has no ports, or names or a service in their place", () => {
    expect(open({ policies: [policy({ ingress: [{ action: "Deny" }] })] })).toEqual({ tcp: [], udp: [] });
    for (const destination of [{}, { ports: [1, "web"] }, { service: [] }, { notPorts: [1] }]) {
      const ingress = [{ ...TCP, destination }];
      expect(open({ policies: [policy({ ingress })] })).toEqual({ tcp: undefined, udp: [] });
    }
    expect(open({ policies: [policy({ ingress: [{ notProtocol: PROTOCOL.tcp }] })] })).toEqual({ tcp: [], udp: undefined });
  });

  it("are of ingress of what governs this host, of its profiles, and of its workloads' egress", () => {
    const elsewhere = policy({ name: "elsewhere", selector: "nobody == 'here'", ingress: [{ ...TCP, ...ports(1) }] });
    const staged = policy({ name: "staged", staged: true, ingress: [{ ...TCP, ...ports(2) }] });
    const outward = policy({ name: "outward", egress: [{ ...TCP, ...ports(3) }] });
    const policies = [elsewhere, staged, outward];
    expect(open({ policies })).toEqual({ tcp: [], udp: [] });
    const profiles = [profile("ssh", { ingress: [{ ...TCP, ...ports(22) }] }), profile("unused", { ingress: [{}] })];
    const hostEndpoints = [hostEndpoint({ profiles: ["ssh"] })];
    expect(open({ policies, profiles, hostEndpoints })).toEqual({ tcp: [range(22)], udp: [] });
    const workloadEndpoints = [workloadEndpoint({ profiles: [] })];
    expect(open({ policies, profiles, hostEndpoints, workloadEndpoints })).toEqual({ tcp: [range(3), range(22)], udp: [] });
  });

  it("have every port that the evaluator lets a packet to this host have", { timeout: 60_000 }, () => {
    const cases = arbitraryResourceSet().chain((set) =>
      fc.tuple(fc.constant(set), fc.array(arbitraryPacketFor(set), { minLength: 20, maxLength: 20 })),
    );
    let decided = 0;
    fc.assert(
      fc.property(cases, ([set, packets]) => {
        const found = openPorts(set, NODE);
        for (const packet of packets) {
          const { protocol, destinationPort: port } = packet;
          if (port === undefined || (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp)) continue;
          const list = protocol === PROTOCOL.tcp ? found.tcp : found.udp;
          const isOpen = list === undefined || list.some(({ min, max }) => port >= min && port <= max);
          if (isOpen) continue;
          decided++;
          expect(allowed(set, packet)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
    expect(decided).toBeGreaterThan(100);
  });
});

/** By any endpoint of the host, as a packet from outside or from a workload; a failsafe port is not asked about. */
function allowed(set: ResourceSet, packet: Parameters<typeof evaluateEndpoint>[5]): boolean {
  const verdicts = [
    ...set.hostEndpoints.map((endpoint) => [endpoint, "ingress"] as const),
    ...set.workloadEndpoints.map((endpoint) => [endpoint, "egress"] as const),
  ];
  return verdicts
    .filter(([{ node }]) => node === NODE)
    .some(([endpoint, direction]) => {
      const { verdict, reason } = evaluateEndpoint(set, NODE, endpoint, "normal", direction, packet);
      return verdict === "allow" && reason !== "failsafe";
    });
}
