import { describe, expect, it } from "vitest";
import {
  chooseEndpoints,
  forwardingEndpoint,
  governingEndpoint,
  isWorkloadInterface,
  preDNATEndpoint,
  untrackedEndpoint,
  workloadEndpoint as workloadOf,
} from "../../src/policy/endpoint-choice.ts";
import type { EndpointChoice, Interface } from "../../src/policy/endpoint-choice.ts";
import type { HostEndpoint } from "../../src/resources/types.ts";
import { address, felix, hostEndpoint, NODE, policy, resourceSet, workloadEndpoint } from "./build.ts";
import type { SetOptions } from "./build.ts";

const INTERFACES: readonly Interface[] = [
  { name: "lo", addresses: [address("127.0.0.1"), address("::1")] },
  { name: "eth0", addresses: [address("10.0.0.1"), address("2001:db8::1")] },
  { name: "eth1", addresses: [] },
];

function choose(...endpoints: HostEndpoint[]): EndpointChoice {
  return chooseEndpoints(resourceSet({ hostEndpoints: endpoints }), NODE, INTERFACES);
}

function governs(choice: EndpointChoice, interfaceName: string): string | undefined {
  return governingEndpoint(choice, interfaceName)?.name;
}

function said({ warnings }: EndpointChoice): string[] {
  return warnings.map(({ code, message }) => `${code} ${message}`);
}

function inactive(choice: EndpointChoice): string[] {
  return choice.inactive.map(({ endpoint, reason }) => `${endpoint.name}: ${reason}`);
}

describe("which HostEndpoint governs an interface (SEMANTICS 3.3)", () => {
  it("the one that names it; others are not policed", () => {
    const choice = choose(hostEndpoint({ name: "a", interfaceName: "eth0" }));
    expect(governs(choice, "eth0")).toBe("a");
    expect(governs(choice, "eth1")).toBeUndefined();
    expect(choice).toMatchObject({ inactive: [], warnings: [] });
  });

  it("without interfaceName the one whose expectedIPs the interface has, IPv4 or IPv6", () => {
    for (const ip of ["10.0.0.1", "2001:db8:0::1"]) {
      const choice = choose(hostEndpoint({ name: "a", interfaceName: null, expectedIPs: ["192.0.2.9", ip] }));
      expect(governs(choice, "eth0")).toBe("a");
      expect(governs(choice, "eth1")).toBeUndefined();
    }
  });

  it("row 96: interfaceName with another interface's expectedIPs does not govern that one", () => {
    const choice = choose(hostEndpoint({ name: "a", interfaceName: "eth1", expectedIPs: ["10.0.0.1"] }));
    expect([governs(choice, "eth0"), governs(choice, "eth1")]).toEqual([undefined, "a"]);
  });

  it("row 95: of several the smallest name; interfaceName does not outrank an address (trap 19)", () => {
    const a = hostEndpoint({ name: "a", interfaceName: null, expectedIPs: ["10.0.0.1"] });
    const b = hostEndpoint({ name: "b", interfaceName: "eth0" });
    const both = choose(b, a);
    expect(governs(both, "eth0")).toBe("a");
    expect(inactive(both)).toEqual(["b: HostEndpoint a governs the interface: its name sorts first"]);
    expect(governs(choose(b), "eth0")).toBe("b");
    expect(governs(choose(b, { ...a, name: "c" }), "eth0")).toBe("b");
  });

  it("does not depend on the order in which the endpoints were loaded", () => {
    const endpoints = ["d", "b"].map((name) => hostEndpoint({ name }));
    const wildcards = ["c", "a"].map((name) => hostEndpoint({ name, interfaceName: "*" }));
    const set = { ...resourceSet(), hostEndpoints: [...endpoints, ...wildcards] };
    const choice = chooseEndpoints(set, NODE, INTERFACES);
    expect([governs(choice, "eth0"), governs(choice, "eth1")]).toEqual(["b", "a"]);
  });

  it("an interface that does not exist yet has its endpoint already, with a warning", () => {
    const choice = choose(
      hostEndpoint({ name: "b", interfaceName: "wan9" }),
      hostEndpoint({ name: "a", interfaceName: "wan9" }),
    );
    expect(governs(choice, "wan9")).toBe("a");
    expect(inactive(choice)).toEqual(["b: HostEndpoint a governs the interface: its name sorts first"]);
    expect(said(choice)).toEqual([
      "RAMPART_W_ENDPOINT HostEndpoint a: interface wan9 does not exist now; it is policed once it does",
    ]);
  });

  it("an endpoint whose expectedIPs are nowhere is inactive", () => {
    const choice = choose(
      hostEndpoint({ name: "a" }),
      hostEndpoint({ name: "b", interfaceName: null, expectedIPs: ["192.0.2.9"] }),
    );
    expect(inactive(choice)).toEqual(["b: no policed interface has any of its expectedIPs"]);
  });

  it("one endpoint may govern several interfaces by its addresses", () => {
    const interfaces = [
      { name: "eth0", addresses: [address("10.0.0.1")] },
      { name: "eth1", addresses: [address("10.0.0.2")] },
    ];
    const both = hostEndpoint({ name: "both", interfaceName: null, expectedIPs: ["10.0.0.1", "10.0.0.2"] });
    const choice = chooseEndpoints(resourceSet({ hostEndpoints: [both] }), NODE, interfaces);
    expect([...choice.byInterface.keys()]).toEqual(["eth0", "eth1"]);
  });
});

describe("the wildcard", () => {
  it("governs every interface without an endpoint of its own, also later ones (trap 18)", () => {
    const choice = choose(
      hostEndpoint({ name: "a-star", interfaceName: "*" }),
      hostEndpoint({ name: "named", interfaceName: "eth0" }),
    );
    expect(["eth0", "eth1", "wan9"].map((name) => governs(choice, name))).toEqual(["named", "a-star", "a-star"]);
  });

  it("is the one with the smallest name", () => {
    const choice = choose(
      hostEndpoint({ name: "y", interfaceName: "*" }),
      hostEndpoint({ name: "x", interfaceName: "*" }),
    );
    expect(choice.wildcard?.name).toBe("x");
    expect(inactive(choice)).toEqual(["y: HostEndpoint x is the wildcard: its name sorts first"]);
  });
});

describe("a workload's interface", () => {
  const star = hostEndpoint({ name: "star", interfaceName: "*" });
  const withWorkloads = (options: SetOptions): EndpointChoice =>
    chooseEndpoints(resourceSet(options), NODE, INTERFACES);

  it("is known by its prefix, whether or not its endpoint is", () => {
    const choice = withWorkloads({ workloadEndpoints: [workloadEndpoint({ name: "w", interfaceName: "cali1" })] });
    expect(["cali1", "cali2", "eth0", "acali"].map((name) => isWorkloadInterface(choice, name))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(workloadOf(choice, "cali1")?.name).toBe("w");
    expect(workloadOf(choice, "cali2")).toBeUndefined();
    expect(choice.warnings).toEqual([]);
  });

  it("has the prefixes of the FelixConfiguration instead of cali", () => {
    const choice = withWorkloads({ felixConfigurations: [felix({ interfacePrefixes: ["tap", "veth"] })] });
    expect(["tap0", "veth9", "cali1"].map((name) => isWorkloadInterface(choice, name))).toEqual([true, true, false]);
  });

  it("can never be a HostEndpoint's, by name or by address (SEMANTICS 1.10)", () => {
    const endpoints = [
      hostEndpoint({ name: "named", interfaceName: "cali1" }),
      hostEndpoint({ name: "by-ip", interfaceName: null, expectedIPs: ["169.254.1.1"] }),
    ];
    const set = resourceSet({ hostEndpoints: endpoints });
    const choice = chooseEndpoints(set, NODE, [{ name: "cali1", addresses: [address("169.254.1.1")] }]);
    expect(choice.byInterface.size).toBe(0);
    expect(inactive(choice)).toEqual([
      "by-ip: no policed interface has any of its expectedIPs",
      "named: interface cali1 is a workload's: its name begins with cali",
    ]);
  });

  it("is under the wildcard for what is forwarded and before DNAT, not for local traffic (SEMANTICS 3.3)", () => {
    const choice = withWorkloads({ hostEndpoints: [star], policies: [policy({ preDNAT: true, ingress: [{}] })] });
    expect(governingEndpoint(choice, "cali1")).toBeUndefined();
    expect(forwardingEndpoint(choice, "cali1")?.name).toBe("star");
    expect(preDNATEndpoint(choice, "cali1")?.name).toBe("star");
  });

  it("is this node's only; an endpoint of another node is none of it", () => {
    const other = workloadEndpoint({ name: "w", interfaceName: "cali1", node: "other-node" });
    expect(workloadOf(withWorkloads({ hostEndpoints: [star], workloadEndpoints: [other] }), "cali1")).toBeUndefined();
  });

  it("without the prefix is not policed, which is warned about", () => {
    const choice = withWorkloads({
      hostEndpoints: [star],
      workloadEndpoints: [workloadEndpoint({ name: "w", namespace: "shop", interfaceName: "eth9" })],
    });
    expect(workloadOf(choice, "eth9")).toBeUndefined();
    expect(said(choice)).toEqual([
      "RAMPART_W_NOT_PROTECTED WorkloadEndpoint shop/w IS NOT PROTECTED: interface eth9 does not begin with cali; rename it or set " +
        "interfacePrefix in the FelixConfiguration",
    ]);
  });

  it("claimed twice belongs to the smallest namespace and name, in any order of files", () => {
    const claims = ["b", "a"].map((namespace) => workloadEndpoint({ name: "w", namespace, interfaceName: "cali1" }));
    for (const workloadEndpoints of [claims, claims.toReversed()]) {
      const set = { ...resourceSet({ hostEndpoints: [star] }), workloadEndpoints };
      const choice = chooseEndpoints(set, NODE, INTERFACES);
      expect(workloadOf(choice, "cali1")?.namespace).toBe("a");
      expect(said(choice)).toEqual([
        "RAMPART_W_ENDPOINT WorkloadEndpoint b/w is ignored: a/w has interface cali1 too, and sorts first",
      ]);
    }
  });
});

describe("the tables other than filter (SEMANTICS 3.3)", () => {
  const named = hostEndpoint({ name: "named", interfaceName: "eth0", labels: { on: "eth0" } });
  const star = hostEndpoint({ name: "star", interfaceName: "*", labels: { on: "star" } });
  const choose = (selector: string, flag: "preDNAT" | "doNotTrack", staged = false): EndpointChoice => {
    const policies = [policy({ selector, ingress: [{}], [flag]: true, staged })];
    return chooseEndpoints(resourceSet({ hostEndpoints: [named, star], policies }), NODE, INTERFACES);
  };

  it("before DNAT ask only endpoints with preDNAT policies: a named one without does not shadow the wildcard", () => {
    const both = choose("all()", "preDNAT");
    expect(["eth0", "eth1"].map((name) => preDNATEndpoint(both, name)?.name)).toEqual(["named", "star"]);
    const wildcard = choose("on == 'star'", "preDNAT");
    expect(["eth0", "eth1"].map((name) => preDNATEndpoint(wildcard, name)?.name)).toEqual(["star", "star"]);
    expect(governingEndpoint(wildcard, "eth0")?.name).toBe("named");
    const own = choose("on == 'eth0'", "preDNAT");
    expect(["eth0", "eth1"].map((name) => preDNATEndpoint(own, name)?.name)).toEqual(["named", undefined]);
    expect(preDNATEndpoint(both, "lo")).toBeUndefined();
  });

  it("before DNAT ask nobody for a staged policy", () => {
    expect(preDNATEndpoint(choose("all()", "preDNAT", true), "eth0")).toBeUndefined();
  });

  it("row 90: untracked, the wildcard has no part, which is warned about (trap 26)", () => {
    const choice = choose("all()", "doNotTrack");
    expect(["eth0", "eth1"].map((name) => untrackedEndpoint(choice, name)?.name)).toEqual(["named", undefined]);
    expect(said(choice)).toEqual([
      'RAMPART_W_ENDPOINT HostEndpoint star: its doNotTrack policies have no effect, because its interfaceName is "*"; name the interface',
    ]);
    expect(choose("on == 'eth0'", "doNotTrack").warnings).toEqual([]);
    expect(untrackedEndpoint(choose("on == 'star'", "doNotTrack"), "eth0")).toBeUndefined();
  });
});

describe("loopback", () => {
  const star = hostEndpoint({ name: "star", interfaceName: "*" });
  const lo = hostEndpoint({ name: "loop", interfaceName: "lo" });

  it("is exempt by default, from the wildcard and from its own endpoint", () => {
    const choice = choose(star, lo, hostEndpoint({ name: "local", interfaceName: null, expectedIPs: ["127.0.0.1"] }));
    expect(governs(choice, "lo")).toBeUndefined();
    expect(inactive(choice)).toEqual([
      "local: no policed interface has any of its expectedIPs",
      "loop: interface lo is exempt from policy",
    ]);
  });

  it("is policed like any other with exemptLoopback: false, as Felix does (trap 27)", () => {
    for (const [endpoints, expected] of [
      [[star], "star"],
      [[star, lo], "loop"],
    ] as const) {
      const set = resourceSet({ hostEndpoints: endpoints });
      expect(governs(chooseEndpoints(set, NODE, INTERFACES, { exemptLoopback: false }), "lo")).toBe(expected);
    }
  });
});

describe("a host that nothing protects is warned about loudly (trap 59)", () => {
  it("when no HostEndpoint is for this node: it names the nodes there are", () => {
    const choice = choose(hostEndpoint({ node: "db-1" }), hostEndpoint({ name: "second", node: "db-2" }));
    expect(choice).toMatchObject({ wildcard: undefined, inactive: [] });
    expect(choice.byInterface.size).toBe(0);
    expect(said(choice)).toEqual([
      "RAMPART_W_NOT_PROTECTED THIS HOST IS NOT PROTECTED: no HostEndpoint has node: node-a; the files name db-1, db-2. " +
        "Correct the node of a HostEndpoint, or the host name in Rampart's configuration",
    ]);
  });

  it("and points out a full name on one side and a short one on the other", () => {
    const [warning] = choose(hostEndpoint({ node: "Node-A.example.org" })).warnings;
    expect(warning?.message).toContain("Node-A.example.org and node-a look like one machine");
  });

  it("with many nodes it names the first five", () => {
    const many = [1, 2, 3, 4, 5, 6, 7].map((n) => hostEndpoint({ name: `e${n}`, node: `n${n}` }));
    expect(choose(...many).warnings[0]?.message).toContain("the files name n1, n2, n3, n4, n5 and 2 more.");
  });

  it("but not where only its workloads are to be policed", () => {
    const set = resourceSet({ workloadEndpoints: [workloadEndpoint()] });
    expect(chooseEndpoints(set, NODE, INTERFACES).warnings).toEqual([]);
  });

  it("when there is no HostEndpoint at all, or none governs an interface", () => {
    expect(said(choose())).toEqual([
      "RAMPART_W_NOT_PROTECTED THIS HOST IS NOT PROTECTED: there is no HostEndpoint; add one with node: node-a",
    ]);
    expect(said(choose(hostEndpoint({ interfaceName: null, expectedIPs: ["192.0.2.9"] })))).toEqual([
      "RAMPART_W_NOT_PROTECTED THIS HOST IS NOT PROTECTED: no HostEndpoint of node node-a governs an interface",
    ]);
  });
});
