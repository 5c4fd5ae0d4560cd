import { describe, expect, it } from "vitest";
import { judgeConnection } from "../../src/policy/walk.ts";
import type { Judgement } from "../../src/policy/walk.ts";
import type { Endpoint, Policy } from "../../src/resources/types.ts";
import { felix, hostEndpoint, packet, policy, PROTOCOL, resourceSet, workloadEndpoint } from "./build.ts";
import type { SetOptions } from "./build.ts";

const client = workloadEndpoint({ name: "client", labels: { run: "client" }, addresses: ["10.65.0.1"] });
const server = workloadEndpoint({
  name: "server",
  node: "node-b",
  labels: { run: "server" },
  addresses: ["10.65.1.1"],
});
const hostA = hostEndpoint({ name: "host-a", expectedIPs: ["192.0.2.1"] });
const hostB = hostEndpoint({ name: "host-b", node: "node-b", expectedIPs: ["192.0.2.2"] });

const ADDRESS = new Map<Endpoint | undefined, string>([
  [client, "10.65.0.1"],
  [server, "10.65.1.1"],
  [hostA, "192.0.2.1"],
  [hostB, "192.0.2.2"],
  [undefined, "198.51.100.1"],
]);

function judge(
  source: Endpoint | undefined,
  destination: Endpoint | undefined,
  policies: readonly Policy[] = [],
  { port = 80, ...options }: SetOptions & { readonly port?: number } = {},
): Judgement {
  const workloadEndpoints = [client, server];
  const set = resourceSet({ workloadEndpoints, hostEndpoints: [hostA, hostB], policies, ...options });
  const what = packet({ from: ADDRESS.get(source) as string, to: ADDRESS.get(destination) as string, port });
  return judgeConnection(set, { source, destination, packet: what });
}

function said({ verdict, endpoint, reason }: Judgement): string {
  return `${verdict} ${endpoint ?? "nobody"} ${reason}`;
}

function of(run: string, direction: "ingress" | "egress", action: "Allow" | "Deny"): Policy {
  return policy({ name: `${run}-${direction}`, selector: `run == '${run}'`, [direction]: [{ action }] });
}

describe("a connection from end to end", () => {
  it("needs the source's egress and the destination's ingress, on whichever nodes", () => {
    expect(said(judge(client, server))).toBe("allow default/server profile");
    expect(said(judge(client, server, [of("client", "egress", "Deny")]))).toBe("deny default/client policy");
    expect(said(judge(client, server, [of("server", "ingress", "Deny")]))).toBe("deny default/server policy");
    const allowed = [of("client", "egress", "Allow"), of("server", "ingress", "Allow")];
    expect(said(judge(client, server, allowed))).toBe("allow default/server policy");
  });

  it("asks them in that order, and the second only if the first allows", () => {
    const names = ({ steps }: Judgement): string[] => steps.map(({ endpoint }) => endpoint.name);
    expect(names(judge(client, server))).toEqual(["client", "server"]);
    expect(names(judge(client, server, [of("client", "egress", "Deny")]))).toEqual(["client"]);
  });

  it("with an end that is no endpoint asks the other; with none it is nobody's business", () => {
    expect(said(judge(undefined, server, [of("server", "ingress", "Deny")]))).toBe("deny default/server policy");
    expect(said(judge(client, undefined))).toBe("allow default/client profile");
    expect(said(judge(undefined, undefined))).toBe("allow nobody no-endpoint");
  });

  it("between hosts goes by their normal policies, each with its own node's failsafe ports", () => {
    expect(said(judge(hostA, hostB))).toBe("deny host-a no-policy");
    const out = policy({ name: "out", egress: [{}] });
    expect(said(judge(hostA, hostB, [out]))).toBe("deny host-b no-policy");
    expect(said(judge(hostA, hostB, [out], { port: 22 }))).toBe("allow host-b failsafe");
    const none = [felix({ name: "node.node-b", failsafeInbound: [] })];
    const strict = { felixConfigurations: none, port: 22 };
    expect(said(judge(hostA, hostB, [out], strict))).toBe("deny host-b no-policy");
  });

  it("from a host to a remote pod needs both; to its own pod nothing (SEMANTICS 3.4, O2, trap 20)", () => {
    const denyAll = policy({ types: ["ingress", "egress"] });
    expect(said(judge(hostA, server, [denyAll]))).toBe("deny host-a end-of-tier");
    expect(said(judge(hostA, client, [denyAll]))).toBe("allow default/client host-to-workload");
  });

  it("from a pod to its own host is up to defaultEndpointToHostAction (I2)", () => {
    const acting = (defaultEndpointToHostAction: "Drop" | "Accept" | "Return"): string =>
      said(judge(client, hostA, [], { felixConfigurations: [felix({ defaultEndpointToHostAction })] }));
    expect(said(judge(client, hostA))).toBe("deny nobody workload-to-host");
    expect(acting("Return")).toBe("allow nobody workload-to-host");
    expect(acting("Accept")).toBe("allow default/client profile");
    expect(said(judge(client, hostB))).toBe("deny host-b no-policy");
  });

  it("from a pod to its own host is never asked about where it is neighbour discovery over IPv6 (I2)", () => {
    const deny = [of("client", "egress", "Deny")];
    const asking = (icmpType: number, destination: Endpoint): string => {
      const set = resourceSet({ workloadEndpoints: [client], hostEndpoints: [hostA, hostB], policies: deny });
      const what = packet({ from: "fd00::1", to: "fd00::2", protocol: PROTOCOL.icmpv6, icmp: [icmpType, 0] });
      return said(judgeConnection(set, { source: client, destination, packet: what }));
    };
    expect([130, 131, 132, 133, 135, 136].map((type) => asking(type, hostA))).toEqual(
      Array.from({ length: 6 }, () => "allow default/client neighbour-discovery"),
    );
    expect([128, 134].map((type) => asking(type, hostA))).toEqual(
      Array.from({ length: 2 }, () => "deny default/client policy"),
    );
    expect(asking(135, hostB)).toBe("deny default/client policy");
  });

  it("of a pod to its own address never leaves the pod", () => {
    expect(said(judge(client, client, [policy({ types: ["ingress", "egress"] })]))).toBe(
      "allow default/client same-endpoint",
    );
  });

  it("of a pod carries no tunnel packets", () => {
    const set = resourceSet({ workloadEndpoints: [client, server] });
    const vxlan = packet({ from: "10.65.0.1", to: "10.65.1.1", protocol: PROTOCOL.udp, port: 4789 });
    const judgement = judgeConnection(set, { source: client, destination: server, packet: vxlan });
    expect(said(judgement)).toBe("deny default/client encapsulation");
  });

  it("of a pod carries those that FelixConfiguration leaves to its policies, and VXLAN at another port", () => {
    const sends = (settings: Parameters<typeof felix>[0], protocol: number, port?: number): string => {
      const felixConfigurations = [felix(settings)];
      const set = resourceSet({ workloadEndpoints: [client, server], felixConfigurations });
      const what = packet({ from: "10.65.0.1", to: "10.65.1.1", protocol, ...(port === undefined ? {} : { port }) });
      return judgeConnection(set, { source: client, destination: server, packet: what }).reason;
    };
    expect(sends({ allowVxlanFromWorkloads: true }, PROTOCOL.udp, 4789)).toBe("profile");
    expect(sends({ allowVxlanFromWorkloads: true }, 4)).toBe("encapsulation");
    expect(sends({ allowIpipFromWorkloads: true }, 4)).toBe("profile");
    expect(sends({ allowIpipFromWorkloads: true }, PROTOCOL.udp, 4789)).toBe("encapsulation");
    expect(sends({ vxlanPort: 8472 }, PROTOCOL.udp, 4789)).toBe("profile");
    expect(sends({ vxlanPort: 8472 }, PROTOCOL.udp, 8472)).toBe("encapsulation");
  });
});
