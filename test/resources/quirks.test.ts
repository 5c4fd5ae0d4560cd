/** Every way of writing that SEMANTICS 0.2 wants loaded, through the loader as the daemon calls it. */
import { describe, expect, it } from "vitest";
import { loadOptions } from "../../src/daemon/load-options.ts";
import type { LoadResult } from "../../src/resources/load.ts";
import type { Policy } from "../../src/resources/types.ts";
import { loadText, resource } from "./temporary-folder.ts";

function kubernetes(spec: string, apiVersion = "networking.k8s.io/v1"): LoadResult {
  const text = `apiVersion: ${apiVersion}\nkind: NetworkPolicy\nmetadata: { name: p }\nspec: ${spec}\n`;
  return loadText(text, loadOptions(true));
}

function calico(kind: string, spec: string): LoadResult {
  return loadText(resource(kind, "{ name: default }", spec), loadOptions(true));
}

/** The only policy there is; nothing may be wrong with it, and the warnings must be these. */
function policyOf({ resources, errors, warnings }: LoadResult, ...codes: string[]): Policy {
  expect(errors).toEqual([]);
  expect(warnings.map(({ code }) => code)).toEqual(codes);
  return resources.policies[0] as Policy;
}

function codes({ errors }: LoadResult): string[] {
  return errors.map(({ code }) => code);
}

describe("lists", () => {
  it("a mapping where a list belongs is its only entry, with a warning", () => {
    const { ingress, egress } = policyOf(
      kubernetes("{ podSelector: {}, policyTypes: [Ingress, Egress], ingress: {}, egress: {} }"),
      "RAMPART_W_OBJECT_AS_LIST",
      "RAMPART_W_OBJECT_AS_LIST",
    );
    expect([ingress.length, egress.length]).toEqual([1, 1]);
    const rule = "{ action: Allow, protocol: TCP, destination: { ports: [80] } }";
    const calicos = policyOf(calico("GlobalNetworkPolicy", `{ ingress: ${rule} }`), "RAMPART_W_OBJECT_AS_LIST");
    expect(calicos.ingress).toHaveLength(1);
  });

  it.each(["", "[]"])("ingress and egress may be %j: no rules", (nothing) => {
    const spec = `{ podSelector: {}, policyTypes: [Ingress, Egress], ingress: ${nothing}, egress: ${nothing} }`;
    expect(policyOf(kubernetes(spec))).toMatchObject({ types: ["ingress", "egress"], ingress: [], egress: [] });
    const types = `{ types: [Ingress, Egress], ingress: ${nothing}, egress: ${nothing} }`;
    expect(policyOf(calico("GlobalNetworkPolicy", types))).toMatchObject({ ingress: [], egress: [] });
  });

  it("null counts as absent for the types too", () => {
    expect(policyOf(kubernetes("{ podSelector: {}, egress: }")).types).toEqual(["ingress"]);
  });

  it.each(["from: ,", "from: [],", ""])("{ %s ports: … } is every peer, and the ports still apply", (from) => {
    const [rule] = policyOf(kubernetes(`{ podSelector: {}, ingress: [{ ${from} ports: [{ port: 80 }] }] }`)).ingress;
    expect(rule?.source).toMatchObject({ selector: undefined, nets: [] });
    expect(rule?.destination.ports).toEqual([{ min: 80, max: 80 }]);
  });
});

describe("selectors and entities", () => {
  it("podSelector null is every pod of the namespace at the policy, and absent at a peer", () => {
    const whole = policyOf(kubernetes("{ podSelector: {} }")).selector;
    expect(policyOf(kubernetes("{ podSelector: }")).selector).toEqual(whole);
    const peer = (fields: string) => kubernetes(`{ podSelector: {}, ingress: [{ from: [{ ${fields} }] }] }`);
    const absent = policyOf(peer("namespaceSelector: {}")).ingress[0]?.source;
    expect(policyOf(peer("podSelector: , namespaceSelector: {}")).ingress[0]?.source).toEqual(absent);
    expect(absent?.selector).not.toBeUndefined();
  });

  it("empty source and destination constrain nothing", () => {
    const bare = policyOf(calico("GlobalNetworkPolicy", "{ ingress: [{ action: Allow }] }")).ingress[0];
    const spec = "{ ingress: [{ action: Allow, source: {}, destination: {} }] }";
    const empty = policyOf(calico("GlobalNetworkPolicy", spec));
    expect(empty.ingress[0]?.source).toEqual(bare?.source);
    expect(empty.ingress[0]?.destination).toEqual(bare?.destination);
  });

  it("ICMP in flow and in block style is the same", () => {
    const flow = calico("GlobalNetworkPolicy", "{ ingress: [{ action: Deny, protocol: ICMP, icmp: { type: 8 } }] }");
    const block = calico(
      "GlobalNetworkPolicy",
      "\n  ingress:\n    - action: Deny\n      protocol: ICMP\n      icmp:\n        type: 8",
    );
    expect(policyOf(flow).ingress[0]).toMatchObject({ protocol: 1, icmp: { type: 8, code: undefined } });
    expect(policyOf(block).ingress[0]).toMatchObject({ protocol: 1, icmp: { type: 8, code: undefined } });
  });
});

describe("scalars", () => {
  it("quoted versions, types in brackets and ports as text are plain YAML", () => {
    const quoted = kubernetes('{ podSelector: {}, policyTypes: ["Ingress"] }', '"networking.k8s.io/v1"');
    expect(policyOf(quoted).name).toBe("p");
    const port = kubernetes('{ podSelector: {}, ingress: [{ ports: [{ port: "80" }] }] }');
    expect(policyOf(port, "RAMPART_W_PORT_QUOTED").ingress[0]?.destination.ports).toEqual([{ min: 80, max: 80 }]);
    const text = '{ ingress: [{ action: Allow, protocol: TCP, destination: { ports: ["80"] } }] }';
    expect(policyOf(calico("GlobalNetworkPolicy", text)).ingress[0]?.destination.ports).toEqual([{ min: 80, max: 80 }]);
  });

  it('interfaceName "*" is the wildcard', () => {
    const { resources, errors } = calico("HostEndpoint", '{ node: n, interfaceName: "*" }');
    expect(errors).toEqual([]);
    expect(resources.hostEndpoints[0]?.interfaceName).toBe("*");
  });
});

describe("FelixConfiguration", () => {
  it("keys in any case, and settings that are nothing to us", () => {
    const spec =
      '{ FailsafeInboundHostPorts: ["tcp:22", "udp:68"], failsafeOutboundHostPorts: ["none"], bpfLogLevel: "", ' +
      "floatingIPs: Disabled, healthPort: 9099, logSeverityScreen: Info, reportingInterval: 0s }";
    const { resources, errors, warnings } = calico("FelixConfiguration", spec);
    expect([errors, warnings]).toEqual([[], []]);
    const [felix] = resources.felixConfigurations;
    expect(felix?.failsafeInbound?.map(({ protocol, port }) => `${protocol}:${port}`)).toEqual(["tcp:22", "udp:68"]);
    expect(felix?.failsafeOutbound).toEqual([]);
  });

  it("an empty list is no failsafe port, null is the default ones", () => {
    const spec = "{ failsafeInboundHostPorts: [], failsafeOutboundHostPorts: }";
    const { resources, errors } = calico("FelixConfiguration", spec);
    expect(errors).toEqual([]);
    expect(resources.felixConfigurations[0]).toMatchObject({ failsafeInbound: [], failsafeOutbound: undefined });
  });
});

describe("documents", () => {
  it("a placeholder is an error of its document, and the others load", () => {
    const placeholder = resource("HostEndpoint", "{ name: h }", "{ node: <name of node>, interfaceName: eth0 }");
    const result = loadText(`${placeholder}---\n${resource("Tier", "{ name: t }", "{ order: 1 }")}`, loadOptions(true));
    expect(codes(result)).toEqual(["RAMPART_E_PLACEHOLDER"]);
    expect(result.resources.tiers.map(({ name }) => name)).toContain("t");
  });

  it("kinds that are no policy are left aside with a warning", () => {
    const result = loadText("apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: d }\n", loadOptions(true));
    expect([codes(result), result.warnings.map(({ code }) => code)]).toEqual([[], ["RAMPART_W_KIND_IGNORED"]]);
  });

  it.each([
    ["the inside of a spec", "podSelector: {}\ningress: []\npolicyTypes: [Ingress]\n"],
    ["numbered lines", " 1apiVersion: projectcalico.org/v3\n 2kind: GlobalNetworkPolicy\n 3metadata:\n 4  name: x\n"],
    ["one line", "cat f.yaml apiVersion: projectcalico.org/v3 kind: Tier metadata: name: x spec: order: 1\n"],
  ])("%s are for `rampart import` and refused here", (_what, text) => {
    const { errors, resources } = loadText(text, loadOptions(true));
    expect(errors).not.toEqual([]);
    expect([...resources.policies, ...resources.hostEndpoints]).toEqual([]);
  });

  it("lost indentation loads with a warning unless the setting forbids it", () => {
    const fields = "metadata:\nname: p\nspec:\nselector: all()\n";
    const text = `apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\n${fields}`;
    expect(policyOf(loadText(text, loadOptions(true)), "RAMPART_W_REPAIR_INDENTATION").name).toBe("p");
    expect(codes(loadText(text, loadOptions(false)))).toEqual(["RAMPART_E_TYPE", "RAMPART_E_TYPE"]);
  });
});
