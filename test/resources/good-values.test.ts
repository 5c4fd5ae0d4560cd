import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatCidr } from "../../src/address/address.ts";
import { loadResources } from "../../src/resources/load.ts";
import type { HostEndpoint, Policy, Rule } from "../../src/resources/types.ts";
import { inRule, loadText, policy, resource } from "./temporary-folder.ts";

function loadPolicy(text: string): { policy: Policy; warnings: string[] } {
  const { resources, errors, warnings } = loadText(text);
  expect(errors.map((error) => error.message)).toEqual([]);
  const [only] = resources.policies;
  if (only === undefined) throw new Error("no policy was loaded");
  return { policy: only, warnings: warnings.map((warning) => warning.code) };
}

function loadRule(rule: string): Rule {
  return loadPolicy(inRule(rule)).policy.ingress[0] as Rule;
}

function loadEndpoint(spec: string): HostEndpoint {
  const { resources, errors } = loadText(resource("HostEndpoint", "{ name: a }", spec));
  expect(errors).toEqual([]);
  return resources.hostEndpoints[0] as HostEndpoint;
}

describe("a folder of realistic policies", () => {
  it("loads whole, without an error or a warning", () => {
    const { resources, errors, warnings, files } = loadResources([join(import.meta.dirname, "../fixtures/policies")]);
    expect(errors).toEqual([]);
    expect(warnings).toEqual([]);
    expect(files.map((file) => file.split("/").at(-1))).toEqual([
      "10-tiers.yaml",
      "20-hosts.yaml",
      "30-policies.yml",
      "40-set.json",
    ]);
    expect(resources.policies.map(({ name, tier, order }) => [name, tier, order])).toEqual([
      ["platform.metrics", "platform", 0],
      ["web", "default", 10.5],
    ]);
    expect(resources.tiers.map(({ name, order, defaultAction }) => [name, order, defaultAction])).toEqual([
      ["default", 1_000_000, "Deny"],
      ["kube-admin", 1000, "Pass"],
      ["kube-baseline", 10_000_000, "Pass"],
      ["platform", 100, "Pass"],
    ]);
    expect(resources.hostEndpoints.map(({ name, node, interfaceName }) => [name, node, interfaceName])).toEqual([
      ["db-1-all", "db-1", "*"],
      ["web-1-eth0", "web-1", "eth0"],
    ]);
    expect(resources.networkSets.map(({ name, nets }) => [name, nets.map(formatCidr)])).toEqual([
      ["monitoring", ["198.51.100.7/32", "198.51.100.64/26", "2001:db8:1::/48"]],
      ["office", ["203.0.113.0/24"]],
    ]);
    expect(resources.felixConfigurations).toMatchObject([
      {
        name: "default",
        failsafeInbound: [
          { protocol: "tcp", port: 22, net: undefined },
          { protocol: "udp", port: 68, net: undefined },
        ],
        failsafeOutbound: undefined,
        denyAction: "Reject",
      },
    ]);
    const web = resources.policies[1] as Policy;
    expect(web.types).toEqual(["ingress", "egress"]);
    expect(web.selector.text).toBe("role == 'web'");
    expect(web.ingress.map((rule) => rule.location.line)).toEqual([30, 34, 37, 40, 43]);
  });
});

describe("types, where the policy does not say", () => {
  it.each([
    ["no rules at all", "  order: 1", ["ingress"]],
    ["empty lists", "  ingress: []\n  egress: []", ["ingress"]],
    ["only ingress rules", "  ingress: [{ action: Allow }]", ["ingress"]],
    ["only egress rules", "  egress: [{ action: Allow }]", ["egress"]],
    ["rules both ways", "  ingress: [{ action: Allow }]\n  egress: [{ action: Allow }]", ["ingress", "egress"]],
    ["types: [] is not set", "  types: []\n  egress: [{ action: Allow }]", ["egress"]],
    ["types: null is not set", "  types:\n  egress: [{ action: Allow }]", ["egress"]],
    ["given types win", "  types: [Egress, Ingress]", ["ingress", "egress"]],
  ])("%s", (_what, spec, types) => {
    expect(loadPolicy(policy(spec)).policy.types).toEqual(types);
  });

  it("rules of a direction that types leaves out are checked, kept, and warned about", () => {
    const { policy: loaded, warnings } = loadPolicy(policy("  types: [Egress]\n  ingress: [{ action: Deny }]"));
    expect(loaded.ingress).toHaveLength(1);
    expect(warnings).toEqual(["RAMPART_W_RULES_IGNORED"]);
  });
});

describe("a policy's other fields", () => {
  it("order 0 is an order, no order is none", () => {
    expect(loadPolicy(policy("  order: 0")).policy.order).toBe(0);
    expect(loadPolicy(policy("  order: -1.5")).policy.order).toBe(-1.5);
    expect(loadPolicy(policy("  order:")).policy.order).toBeUndefined();
    expect(loadPolicy(policy("  types: [Ingress]")).policy.order).toBeUndefined();
  });

  it("no selector selects everything; a block's newlines go, inner ones become spaces with a warning", () => {
    expect(loadPolicy(policy("  order: 1")).policy.selector.root).toEqual({ op: "all" });
    const block = loadPolicy(policy("  selector: |\n\n    a == 'b'\n\n"));
    expect([block.policy.selector.text, block.warnings]).toEqual(["a == 'b'", []]);
    const lines = loadPolicy(policy("  selector: |\n    a == 'b' &&\n    has(c)\n"));
    expect(lines.policy.selector.text).toBe("a == 'b' && has(c)");
    expect(lines.warnings).toEqual(["RAMPART_W_SELECTOR_NEWLINE"]);
  });

  it("features that are switched off or empty are no features", () => {
    const fields = ["preDNAT: false", "doNotTrack:", 'namespaceSelector: ""', "serviceAccountSelector:"];
    const spec = [...fields, "performanceHints: []"].map((field) => `  ${field}`).join("\n");
    expect(loadPolicy(policy(spec)).warnings).toEqual([]);
    loadRule("{ action: Allow, http: {}, source: { services: null, serviceAccounts: {}, namespaceSelector: '' } }");
  });

  it("applyOnForward and tier are taken as given", () => {
    const text = policy("  tier: kube-admin\n  applyOnForward: true");
    expect(loadPolicy(text).policy).toMatchObject({ tier: "kube-admin", applyOnForward: true });
    expect(loadPolicy(policy('  tier: ""')).policy).toMatchObject({ tier: "default", applyOnForward: false });
  });

  it("an unknown field of the spec or the document is ignored with a warning", () => {
    const { errors, warnings } = loadText(`${policy("  Selector: all()")}extra: 1\n`);
    expect(errors).toEqual([]);
    expect(warnings.map(({ code, location }) => [code, location.line, location.column])).toEqual([
      ["RAMPART_W_FIELD_IGNORED", 7, 1],
      ["RAMPART_W_FIELD_IGNORED", 6, 3],
    ]);
    expect(warnings[1]?.message).toContain("did you mean selector?");
  });

  it("a namespace on a global kind has no effect and is warned about", () => {
    const { resources, warnings } = loadText(resource("GlobalNetworkPolicy", "{ name: a, namespace: b }", "{}"));
    expect(resources.policies).toHaveLength(1);
    expect(warnings.map((warning) => warning.code)).toEqual(["RAMPART_W_NAMESPACE_IGNORED"]);
  });

  it("label names never find properties that every object has", () => {
    const { labels } = loadPolicy(policy("  order: 1")).policy;
    expect("constructor" in labels).toBe(false);
  });
});

describe("a mapping where a list belongs", () => {
  it("is the list's only entry, with a warning", () => {
    const { policy: loaded, warnings } = loadPolicy(policy("  ingress: { action: Allow }\n  egress:"));
    expect(loaded.ingress).toMatchObject([{ action: "Allow" }]);
    expect(warnings).toEqual(["RAMPART_W_OBJECT_AS_LIST"]);
  });
});

describe("a rule", () => {
  it("without criteria has none", () => {
    const none = { nets: [], notNets: [], selector: undefined, notSelector: undefined, ports: [], notPorts: [] };
    const rule = loadRule("{ action: Allow, source: {}, destination: , metadata: { annotations: { a: b } } }");
    expect(rule).toMatchObject({
      ipVersion: undefined,
      protocol: undefined,
      notProtocol: undefined,
      icmp: undefined,
      notIcmp: undefined,
      source: none,
      destination: none,
    });
  });

  it.each([
    ["allow", "Allow"],
    ["DENY", "Deny"],
    ["Log", "Log"],
    ["pass", "Pass"],
  ])("action %s is %s", (text, action) => {
    expect(loadRule(`{ action: ${text} }`).action).toBe(action);
  });

  it.each([
    ["TCP", 6],
    ["udp", 17],
    ["Sctp", 132],
    ["UDPLite", 136],
    ["ICMP", 1],
    ["icmpv6", 58],
    ["47", 47],
    ['"6"', 6],
    ["255", 255],
  ])("protocol %s is %i", (text, number) => {
    expect(loadRule(`{ action: Allow, protocol: ${text} }`).protocol).toBe(number);
    expect(loadRule(`{ action: Allow, notProtocol: ${text} }`).notProtocol).toBe(number);
  });

  it("ICMP is IPv4 and ICMPv6 is IPv6; other protocols are both", () => {
    expect(loadRule("{ action: Allow, protocol: ICMP }").ipVersion).toBe(4);
    expect(loadRule("{ action: Allow, protocol: 58 }").ipVersion).toBe(6);
    expect(loadRule("{ action: Allow, notProtocol: ICMP }").ipVersion).toBeUndefined();
    expect(loadRule("{ action: Allow, protocol: TCP }").ipVersion).toBeUndefined();
  });

  it("ICMP type 0 and code 0 are values", () => {
    const icmp = (match: string): Rule["icmp"] => loadRule(`{ action: Allow, protocol: ICMP, icmp: ${match} }`).icmp;
    expect(icmp("{ type: 0 }")).toEqual({ type: 0, code: undefined });
    expect(icmp("{ type: 0, code: 0 }")).toEqual({ type: 0, code: 0 });
    expect(icmp("{ type: 254, code: 255 }")).toEqual({ type: 254, code: 255 });
    expect(icmp("{}")).toBeUndefined();
    expect(loadRule("{ action: Deny, notICMP: { type: 0 } }").notIcmp).toEqual({ type: 0, code: undefined });
  });

  it("ports are numbers, digits, or ranges with a colon, which YAML 1.1 would read as base 60", () => {
    const ports = '[22, "80", 1:30, "8000:8000", 65535]';
    const rule = loadRule(`{ action: Allow, protocol: TCP, destination: { ports: ${ports}, notPorts: [1] } }`);
    expect(rule.destination.ports).toEqual([
      { min: 22, max: 22 },
      { min: 80, max: 80 },
      { min: 1, max: 30 },
      { min: 8000, max: 8000 },
      { min: 65535, max: 65535 },
    ]);
    expect(rule.destination.notPorts).toEqual([{ min: 1, max: 1 }]);
  });

  it("a %YAML 1.1 directive does not change how values are read", () => {
    const text = `%YAML 1.1\n---\n${inRule("{ action: Allow, protocol: TCP, source: { ports: [1:30] } }")}`;
    expect(loadPolicy(text).policy.ingress[0]?.source.ports).toEqual([{ min: 1, max: 30 }]);
  });

  it("a bare address is its host prefix, with a warning", () => {
    const text = inRule('{ action: Allow, source: { nets: ["2001:db8::1"] }, destination: { nets: [::2/128] } }');
    const { policy: loaded, warnings } = loadPolicy(text);
    expect(loaded.ingress[0]?.source.nets.map(formatCidr)).toEqual(["2001:db8::1/128"]);
    expect(warnings).toEqual(["RAMPART_W_BARE_ADDRESS"]);
  });

  it("0.0.0.0/0 is fine as a positive net", () => {
    const { source } = loadRule("{ action: Allow, source: { nets: [0.0.0.0/0] } }");
    expect(source.nets.map(formatCidr)).toEqual(["0.0.0.0/0"]);
  });

  it("an empty selector is no constraint, which is less than all()", () => {
    const rule = loadRule("{ action: Allow, source: { selector: '' }, destination: { selector: all() } }");
    expect(rule.source.selector).toBeUndefined();
    expect(rule.destination.selector?.root).toEqual({ op: "all" });
  });

  it("ICMP with IPv6 prefixes can never match and is warned about", () => {
    const { warnings } = loadPolicy(inRule('{ action: Deny, protocol: ICMP, source: { nets: ["::/0"] } }'));
    expect(warnings).toEqual(["RAMPART_W_NEVER_MATCHES"]);
  });

  it("aliases stand for the values they name", () => {
    const text = inRule("{ action: Allow, source: { nets: &n [10.0.0.0/8] }, destination: { nets: *n } }");
    expect(loadPolicy(text).policy.ingress[0]?.destination.nets.map(formatCidr)).toEqual(["10.0.0.0/8"]);
  });
});

describe("a host endpoint", () => {
  it("has an interface, or addresses, or both", () => {
    expect(loadEndpoint('{ node: h, interfaceName: "*" }')).toMatchObject({ interfaceName: "*", expectedIPs: [] });
    const byAddress = loadEndpoint('{ node: h, expectedIPs: [10.0.0.1, "2001:db8::1"], interfaceName: "" }');
    expect(byAddress.interfaceName).toBeUndefined();
    expect(byAddress.expectedIPs).toHaveLength(2);
    expect(loadEndpoint("{ node: h, interfaceName: eth0.100 }").interfaceName).toBe("eth0.100");
  });

  it("may have the built-in profile that allows everything", () => {
    const { profiles } = loadEndpoint("{ node: h, interfaceName: e, profiles: [projectcalico-default-allow] }");
    expect(profiles).toEqual(["projectcalico-default-allow"]);
  });
});

describe("a tier", () => {
  it("denies at its end unless it says Pass, and comes last without an order", () => {
    const { resources } = loadText(resource("Tier", "{ name: mine }", ""));
    const mine = resources.tiers.find((tier) => tier.name === "mine");
    expect(mine).toMatchObject({ order: undefined, defaultAction: "Deny" });
  });

  it("that is built in may be repeated without its values", () => {
    const { resources, errors } = loadText(resource("Tier", "{ name: kube-baseline }", "{}"));
    expect(errors).toEqual([]);
    expect(resources.tiers).toHaveLength(3);
    expect(resources.tiers[2]).toMatchObject({ name: "kube-baseline", order: 10_000_000, defaultAction: "Pass" });
  });
});
