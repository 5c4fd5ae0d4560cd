import { describe, expect, it } from "vitest";
import type { Policy } from "../../src/resources/types.ts";
import { failsafe, felix, networkSet, policy, PROTOCOL, tier } from "./build.ts";
import type { PolicyOptions, SetOptions } from "./build.ts";
import { addressOf, hosts, mistakes, network } from "./two-hosts.ts";
import type { Network, PlaceName, Probe } from "./two-hosts.ts";

const { tcp } = PROTOCOL;
const onHosts = "has(host-endpoint)";
const deny = [{ action: "Deny" }] as const;
const allow = [{}] as const;

/** "HEP*" of the scenarios: with a named interface and with the wildcard the outcome is the same. */
const NAMED_AND_WILDCARD = ["eth0", "*"] as const;

describe.each(NAMED_AND_WILDCARD)("HostEndpoints on %s of both hosts (SEMANTICS 7)", (interfaceName) => {
  const withHosts = (policies: readonly Policy[] = [], options: SetOptions = {}): Network =>
    network({ hostEndpoints: hosts(interfaceName), policies, ...options });
  const security = tier("security", 10);

  it("rows 1 and 2: without policy deny what the hosts send and receive", () => {
    expect(mistakes(withHosts(), [
      ["h0", "h1", {}, false],
      ["h1", "h0", {}, false],
      ["h0", "w1", {}, false],
      ["h1", "w0", {}, false],
    ])).toEqual([]);
  });

  it("rows 3, 5 and 7: leave a host and its own pods alone, also through a service, and forwarded traffic", () => {
    const vip = { to: "203.0.113.7" };
    expect(mistakes(withHosts(), [
      ["h0", "w0", {}, true],
      ["h1", "w1", {}, true],
      ["h0", "w0", { vip }, true],
      ["w0", "w1", { vip }, true],
      ["w0", "w1", {}, true],
    ])).toEqual([]);
  });

  it("row 8: keep failsafe ports open, in their direction", () => {
    const tcpPort = (port: number): Probe => ({ port });
    expect(mistakes(withHosts(), [
      ["h0", "ext", tcpPort(6443), true],
      ["h0", "ext", tcpPort(5473), true],
      ["h0", "ext", tcpPort(22), false],
      ["ext", "h0", tcpPort(22), true],
    ])).toEqual([]);
  });

  it("rows 10 and 11: need egress at the one and ingress at the other host", () => {
    const out = policy({ name: "out", tier: "security", selector: "host == 'h0'", egress: allow });
    const into = policy({ name: "in", tier: "security", selector: "host == 'h1'", ingress: allow });
    const raw = { protocol: 253 };
    expect(mistakes(withHosts([out], { tiers: [security] }), [
      ["h0", "h1", {}, false],
      ["h1", "h0", {}, false],
      ["h1", "w0", {}, false],
      ["w0", "w1", {}, true],
      ["h0", "w0", {}, true],
      ["h0", "h1", raw, false],
    ])).toEqual([]);
    expect(mistakes(withHosts([out, into], { tiers: [security] }), [
      ["h0", "h1", {}, true],
      ["h1", "h0", {}, false],
      ["h1", "h0", raw, false],
      ["h0", "h1", raw, true],
    ])).toEqual([]);
  });

  it("row 13: allow a protocol by its number, and no other", () => {
    const rule = [{ protocol: 253 }];
    const policies = [
      policy({ name: "out", selector: "host == 'h0'", egress: rule }),
      policy({ name: "in", selector: "host == 'h1'", ingress: rule }),
    ];
    expect(mistakes(withHosts(policies), [
      ["h0", "h1", { protocol: 253 }, true],
      ["h0", "h1", { protocol: 254 }, false],
    ])).toEqual([]);
  });

  it("row 14: a Deny without applyOnForward is for the hosts' own traffic only", () => {
    const aofDeny = policy({ name: "aof-deny", selector: onHosts, ingress: deny, egress: deny });
    expect(mistakes(withHosts([aofDeny]), [
      ["h0", "h1", {}, false],
      ["h0", "w1", {}, false],
      ["w0", "w1", {}, true],
      ["h0", "w0", {}, true],
    ])).toEqual([]);
  });

  it("rows 15 and 16: profile allow-all opens every path, until a policy speaks for the direction", () => {
    const hostEndpoints = hosts(interfaceName, { profiles: ["projectcalico-default-allow"] });
    const everyPath = [
      ["h0", "h1"],
      ["h0", "w1"],
      ["h1", "w0"],
      ["w0", "w1"],
      ["h0", "w0"],
    ] as const;
    const open = withHosts([], { hostEndpoints });
    for (const [from, to] of everyPath) expect(open.reaches(from, to)).toBe(true);
    const closed = policy({ name: "d", selector: "host == 'h0'", egress: deny });
    expect(mistakes(withHosts([closed], { hostEndpoints }), [
      ["h0", "h1", {}, false],
      ["h0", "w1", {}, false],
      ["h1", "h0", {}, true],
      ["h1", "w0", {}, true],
      ["h0", "w0", {}, true],
      ["w0", "w1", {}, true],
    ])).toEqual([]);
  });

  it("rows 31 and 32: a preDNAT Allow for another port opens nothing; for this port it does (trap 15)", () => {
    const pre = (port: number): Policy =>
      policy({ name: "pre", preDNAT: true, ingress: [{ protocol: tcp, destination: { ports: [port] } }] });
    const web = { port: 9091 };
    expect(withHosts().reaches("ext", "h0", web)).toBe(false);
    expect(withHosts([pre(1234)]).reaches("ext", "h0", web)).toBe(false);
    expect(withHosts([pre(9091)]).reaches("ext", "h0", web)).toBe(true);
  });

  it("rows 39, 40 and 43: a configured failsafe port, an allow-all policy, a denied client", () => {
    const felixConfigurations = [felix({ failsafeInbound: [failsafe("tcp", 1234)] })];
    const all = policy({ name: "all", order: 20, selector: "all()", ingress: allow, egress: allow });
    const blocked = policy({
      name: "blocked",
      order: 10,
      selector: "all()",
      doNotTrack: true,
      ingress: [{ action: "Deny", source: { selector: "set == 'blocked'" } }],
    });
    const networkSets = [networkSet("blocked", { set: "blocked" }, [`${addressOf("ext")}/24`])];
    const client = (policies: readonly Policy[], port: number): boolean =>
      withHosts(policies, { felixConfigurations, networkSets }).reaches("ext", "h1", { port });
    expect([client([], 8055), client([], 1234)]).toEqual([false, true]);
    expect(client([all], 8055)).toBe(true);
    // The wildcard has no part in untracked policies.
    expect(client([all, blocked], 8055)).toBe(interfaceName === "*");
    expect(client([all, blocked], 1234)).toBe(true);
  });
});

describe("forwarded traffic under HostEndpoints (SEMANTICS 7)", () => {
  it("rows 20 and 21: passes under normal policies, with endpoints by expectedIPs or the wildcard", () => {
    const all = policy({ selector: onHosts, ingress: allow, egress: allow });
    for (const interfaceName of [null, "*"]) {
      expect(mistakes(network({ hostEndpoints: hosts(interfaceName), policies: [all] }), [
        ["w0", "w1", {}, true],
        ["w1", "w0", {}, true],
        ["w0", "h1", {}, true],
        ["w1", "h0", {}, true],
      ])).toEqual([]);
    }
  });

  it("row 22: what comes out of a tunnel is forwarded on the tunnel's interface, under the wildcard", () => {
    const aof = policy({ selector: onHosts, applyOnForward: true, ingress: deny, egress: allow });
    const net = network({ hostEndpoints: hosts("*"), policies: [aof] });
    expect(mistakes(net, [
      ["w0", "w1", { link: "vxlan.calico" }, false],
      ["w1", "w0", { link: "vxlan.calico" }, false],
    ])).toEqual([]);
  });
});

describe("node ports and preDNAT policies (SEMANTICS 7)", () => {
  /** Node ports of h0 for its pods w0 and w2, both listening on 8055. */
  const nodePort = (port: number): Probe => ({ vip: { to: addressOf("h0"), port } });
  const pre = (name: string, order: number, ingress: PolicyOptions["ingress"]): Policy =>
    policy({ name, order, selector: onHosts, preDNAT: true, ingress: ingress ?? [] });
  const denyAll = pre("deny", 20, deny);
  const open = (port: number): Policy => pre("open", 10, [{ protocol: tcp, destination: { ports: [port] } }]);
  const all = (net: Network): boolean[] => [
    net.reaches("ext", "w0", nodePort(32_010)),
    net.reaches("ext", "w2", nodePort(32_011)),
    net.reaches("w2", "w0", nodePort(32_010)),
    net.reaches("w0", "w2", nodePort(32_011)),
  ];

  it("row 23: without a HostEndpoint everything reaches them", () => {
    expect(all(network({}))).toEqual([true, true, true, true]);
  });

  it("row 24: a preDNAT Deny on eth0 is for what comes in there", () => {
    expect(all(network({ hostEndpoints: hosts("eth0"), policies: [denyAll] }))).toEqual([false, false, true, true]);
  });

  it("row 26: the port is seen as it was before DNAT", () => {
    const hostEndpoints = hosts("eth0");
    expect(all(network({ hostEndpoints, policies: [denyAll, open(8055)] }))).toEqual([false, false, true, true]);
    expect(all(network({ hostEndpoints, policies: [denyAll, open(32_010)] }))).toEqual([true, false, true, true]);
  });

  it("row 28: on the wildcard it is for what pods send too (trap 16)", () => {
    const net = network({ hostEndpoints: hosts("*"), policies: [denyAll, open(32_010)] });
    expect(all(net)).toEqual([true, false, true, false]);
  });

  it("a preDNAT Allow takes no pod's policy away (trap 17)", () => {
    const isolated = policy({ name: "np", namespace: "default", selector: "name == 'w0'", types: ["ingress"] });
    const net = network({ hostEndpoints: hosts("eth0"), policies: [denyAll, open(32_010), isolated] });
    expect(net.reaches("ext", "w0", nodePort(32_010))).toBe(false);
  });

  it("S23: a wildcard's preDNAT Deny of one port holds on the interface of a named endpoint too (trap 18)", () => {
    const [star] = hosts("*");
    const [named] = hosts("eth0", { profiles: ["projectcalico-default-allow"] });
    const hostEndpoints = [
      { ...star!, name: "vpnclient-eth0", labels: { vpn: "client" } },
      { ...named!, name: "a-named", labels: {} },
    ];
    const vpn = policy({
      name: "vpn-rules",
      order: 0,
      selector: "vpn == 'client'",
      preDNAT: true,
      ingress: [
        { action: "Deny", protocol: tcp, destination: { ports: [6379] } },
        { protocol: PROTOCOL.udp, destination: { ports: [53, 67] } },
      ],
    });
    const net = network({ hostEndpoints, policies: [vpn] });
    expect(mistakes(net, [
      ["ext", "w0", { port: 6379 }, false],
      ["w2", "w0", { port: 6379 }, false],
      ["ext", "w0", { port: 80 }, true],
      ["ext", "h0", { protocol: PROTOCOL.udp, port: 53 }, true],
      ["ext", "h0", { port: 80 }, true],
    ])).toEqual([]);
  });

  it("S30: a source selector knows hosts by their expectedIPs only (trap 8)", () => {
    const home = pre("home", 10, [{ source: { selector: "host == 'h1'" } }]);
    const withIPs = hosts("eth0");
    const withoutIPs = withIPs.map((endpoint) => ({ ...endpoint, expectedIPs: [] }));
    const out = policy({ name: "out", selector: onHosts, egress: allow });
    for (const [hostEndpoints, expected] of [
      [withIPs, true],
      [withoutIPs, false],
    ] as const) {
      expect(network({ hostEndpoints, policies: [home, denyAll, out] }).reaches("h1", "h0")).toBe(expected);
    }
  });
});

describe("untracked policies between two hosts (SEMANTICS 7)", () => {
  const raw = (host: string, peer: PlaceName, ingress: "Allow" | "Deny" = "Allow"): Policy => {
    const nets = [`${addressOf(peer)}/32`];
    return policy({
      name: `raw-${host}`,
      selector: `host == '${host}'`,
      doNotTrack: true,
      ingress: [{ action: ingress, source: { nets } }],
      egress: [{ destination: { nets } }],
    });
  };
  const between = (...policies: Policy[]): Network => network({ hostEndpoints: hosts("eth0"), policies });

  it("row 35: without them only failsafe ports pass", () => {
    expect(mistakes(between(), [
      ["h0", "h1", {}, false],
      ["h0", "h1", { port: 2379 }, true],
      ["h1", "h0", { port: 2379 }, true],
      ["h0", "ext", { port: 22 }, false],
      ["ext", "h0", { port: 22 }, true],
    ])).toEqual([]);
  });

  it("row 36: in and out on both sides, packets and answers pass untracked, failsafe ports as before (trap 25)", () => {
    const net = between(raw("h0", "h1"), raw("h1", "h0"));
    expect(mistakes(net, [
      ["h0", "h1", {}, true],
      ["h1", "h0", { sourcePort: 8055, port: 40_000 }, true],
      ["h0", "h1", { port: 2379 }, true],
      ["ext", "h0", { port: 22 }, true],
      ["ext", "h0", { port: 8055 }, false],
    ])).toEqual([]);
    const [out, into] = net.walks("h0", "h1");
    expect(out?.hooks.map(({ hook, judgement }) => `${hook}: ${judgement.verdict} ${judgement.reason}`)).toEqual([
      "raw OUTPUT: allow policy",
      "filter OUTPUT: allow accepted",
    ]);
    expect(into?.hooks.map(({ hook, judgement }) => `${hook}: ${judgement.verdict} ${judgement.reason}`)).toEqual([
      "raw PREROUTING: allow policy",
      "filter INPUT: allow accepted",
    ]);
  });

  it("row 38: with one side's ingress denied neither packets nor answers get there", () => {
    const net = between(raw("h0", "h1", "Deny"), raw("h1", "h0"));
    expect(mistakes(net, [
      ["h1", "h0", {}, false],
      ["h1", "h0", { sourcePort: 8055, port: 40_000 }, false],
      ["h0", "h1", {}, true],
    ])).toEqual([]);
  });

  it("row 45: the source port of an inbound failsafe port opens nothing", () => {
    const felixConfigurations = [felix({ failsafeInbound: [failsafe("tcp", 1234)] })];
    const denied = policy({ selector: onHosts, doNotTrack: true, ingress: deny });
    const net = network({ hostEndpoints: hosts("eth0"), policies: [denied], felixConfigurations });
    expect(net.reaches("ext", "h1", { sourcePort: 1234 })).toBe(false);
    expect(net.reaches("ext", "h1", { port: 1234 })).toBe(true);
  });
});

describe("workloads and their host (SEMANTICS 7, rows 46 to 53)", () => {
  const verdicts = (policies: readonly Policy[]): string[] =>
    (["Accept", "Return", "Drop"] as const).map((defaultEndpointToHostAction) => {
      const net = network({
        hostEndpoints: policies.length === 0 ? [] : hosts("*"),
        policies,
        felixConfigurations: [felix({ defaultEndpointToHostAction })],
      });
      expect(net.reaches("w0", "w1")).toBe(policies[0]?.name !== "pre-deny");
      return net.walks("w0", "h0").at(-1)?.verdict as string;
    });

  it("rows 46, 47 and 51: go by defaultEndpointToHostAction, not by HostEndpoints", () => {
    const expected = ["allow", "return", "deny"];
    expect(verdicts([])).toEqual(expected);
    expect(verdicts([policy({ selector: onHosts, ingress: allow, egress: allow })])).toEqual(expected);
  });

  it("row 49: a wildcard's preDNAT Allow does not help them", () => {
    const preAllow = policy({ selector: onHosts, preDNAT: true, ingress: allow });
    expect(verdicts([preAllow])).toEqual(["allow", "return", "deny"]);
  });

  it("row 50: a wildcard's preDNAT Deny stops them", () => {
    const preDeny = policy({ name: "pre-deny", selector: onHosts, preDNAT: true, ingress: deny });
    expect(verdicts([preDeny])).toEqual(["deny", "deny", "deny"]);
  });
});

describe("the order of hooks (SEMANTICS 3.4)", () => {
  const net = network({ hostEndpoints: hosts("eth0", { profiles: ["projectcalico-default-allow"] }) });
  const hooks = (from: PlaceName, to: PlaceName, probe: Probe = {}): string[][] =>
    net.walks(from, to, probe).map((walk) => walk.hooks.map(({ hook }) => hook));

  it("is raw, mangle, then the filter table; mangle POSTROUTING for DNATed packets of the host", () => {
    expect(hooks("ext", "h0")).toEqual([["raw PREROUTING", "mangle PREROUTING", "filter INPUT"]]);
    expect(hooks("w0", "w1")).toEqual([
      ["raw PREROUTING", "mangle PREROUTING", "filter FORWARD"],
      ["raw PREROUTING", "mangle PREROUTING", "filter FORWARD"],
    ]);
    expect(hooks("h0", "ext")).toEqual([["raw OUTPUT", "filter OUTPUT"]]);
    expect(hooks("h0", "ext", { vip: { to: "203.0.113.7" } })).toEqual([
      ["raw OUTPUT", "filter OUTPUT", "mangle POSTROUTING"],
    ]);
  });

  it("a DNATed packet of the host is judged once, by what it became (trap 21)", () => {
    const out = policy({ selector: onHosts, egress: [{ destination: { nets: [`${addressOf("h1")}/32`] } }] });
    const policed = network({ hostEndpoints: hosts("eth0").slice(0, 1), policies: [out] });
    const vip = { to: "203.0.113.7" };
    expect(policed.reaches("h0", "h1", { vip })).toBe(true);
    expect(policed.reaches("h0", "ext", { vip })).toBe(false);
    expect(policed.reaches("h0", "ext", { vip: { to: addressOf("h1") } })).toBe(false);
  });

  it("a packet of the host that untracked policy accepted is judged nowhere else (O1, P1)", () => {
    const out = policy({ selector: onHosts, doNotTrack: true, egress: allow });
    const accepted = network({ hostEndpoints: hosts("eth0").slice(0, 1), policies: [out] });
    const [walk] = accepted.walks("h0", "ext", { vip: { to: "203.0.113.7" } });
    expect(walk).toMatchObject({ verdict: "allow" });
    expect(walk?.hooks.map(({ hook }) => hook)).toEqual(["raw OUTPUT", "filter OUTPUT"]);
  });

  it("ends with the first hook that denies", () => {
    const pre = policy({ selector: onHosts, preDNAT: true, ingress: deny });
    const [walk] = network({ hostEndpoints: hosts("eth0"), policies: [pre] }).walks("ext", "h0");
    expect(walk?.verdict).toBe("deny");
    expect(walk?.hooks.map(({ hook }) => hook)).toEqual(["raw PREROUTING", "mangle PREROUTING"]);
  });
});
