/** Settings that are in force and find nothing to act on, and where tunnels end (SEMANTICS 1.13, 3.7). */
import { describe, expect, it } from "vitest";
import { formatCidr, parseCidr } from "../../src/address/address.ts";
import { felixWarnings } from "../../src/policy/felix-warnings.ts";
import { tunnelEnds } from "../../src/policy/tunnel-ends.ts";
import type { Cidr } from "../../src/address/address.ts";
import { address, felix, hostEndpoint, NODE, resourceSet, workloadEndpoint } from "./build.ts";

function net(text: string): Cidr {
  const parsed = parseCidr(text);
  if (!parsed.ok) throw new Error(`not a prefix: ${text}`);
  return parsed.cidr;
}

const HOST = hostEndpoint({ name: "h", node: "node-b", expectedIPs: ["192.0.2.2", "2001:db8::2"] });
const NODES = [{ name: "node-b", addresses: [address("192.0.2.2"), address("192.0.2.3")] }];

describe("ends of tunnels", () => {
  it("are the addresses of nodes, of their endpoints and the external ones, once each, in order", () => {
    const felixConfigurations = [felix({ externalNodes: [net("198.51.100.0/24"), net("192.0.2.3/32")] })];
    const set = { ...resourceSet({ hostEndpoints: [HOST], felixConfigurations }), nodes: NODES };
    const expected = ["192.0.2.2/32", "192.0.2.3/32", "198.51.100.0/24", "2001:db8::2/128"];
    expect(tunnelEnds(set, NODE).map(formatCidr)).toEqual(expected);
  });
});

describe("a warning", () => {
  const warned = (settings: Parameters<typeof felix>[0], more: Parameters<typeof resourceSet>[0] = {}): string[] =>
    felixWarnings(resourceSet({ felixConfigurations: [felix(settings)], ...more }), NODE).map(
      ({ code, message }) => `${code} ${message}`,
    );

  it("is given for tunnels without an end", () => {
    expect(warned({ ipipEnabled: true })).toEqual([expect.stringContaining("ipipEnabled, but no end")]);
    expect(warned({ vxlanEnabled: true })).toEqual([expect.stringContaining("vxlanEnabled, but no end")]);
    expect(warned({ vxlanEnabled: true }, { hostEndpoints: [HOST] })).toEqual([]);
    expect(warned({})).toEqual([]);
  });

  it("is given for source prefixes of this node's workloads that nobody may use", () => {
    const own = { ...workloadEndpoint({ name: "a" }), allowedSources: [net("10.9.0.0/16")] };
    const other = { ...workloadEndpoint({ name: "b", node: "node-b" }), allowedSources: [net("10.9.0.0/16")] };
    const workloadEndpoints = [own, other];
    expect(warned({}, { workloadEndpoints })).toEqual([expect.stringContaining("default/a: its allowed source")]);
    expect(warned({ workloadSourceSpoofing: "Any" }, { workloadEndpoints })).toEqual([]);
  });

  it("is given where IPv6 is left out", () => {
    expect(warned({ ipv6Support: false })).toEqual([expect.stringContaining("RAMPART_W_NOT_PROTECTED IPv6 IS NOT POLICED")]);
  });
});
