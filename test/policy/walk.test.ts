import { describe, expect, it } from "vitest";
import { chooseEndpoints } from "../../src/policy/endpoint-choice.ts";
import {
  judgeForward,
  judgeInput,
  judgeOutput,
  judgePreDNAT,
  judgeTranslatedOutput,
  judgeUntracked,
} from "../../src/policy/walk.ts";
import type { Judgement } from "../../src/policy/walk.ts";
import type { Direction, HostEndpoint, Policy } from "../../src/resources/types.ts";
import { felix, hostEndpoint, NODE, packet, policy, PROTOCOL, resourceSet, workloadEndpoint } from "./build.ts";
import type { SetOptions } from "./build.ts";

const wan = hostEndpoint({ name: "wan", interfaceName: "eth0", labels: { side: "wan" } });
const lan = hostEndpoint({ name: "lan", interfaceName: "eth1", labels: { side: "lan" } });
const WEB = packet({ port: 80 });

function host(hostEndpoints: readonly HostEndpoint[], policies: readonly Policy[] = [], others: SetOptions = {}) {
  const set = resourceSet({ hostEndpoints, policies, ...others });
  const choice = chooseEndpoints(set, NODE, []);
  return {
    input: (inInterface: string, what = WEB, accepted = false): string =>
      said(judgeInput(set, NODE, choice, inInterface, what, { accepted })),
    output: (outInterface: string, how: { accepted?: boolean; translated?: boolean } = {}): string =>
      said(judgeOutput(set, NODE, choice, outInterface, WEB, how)),
    translatedOutput: (outInterface: string): string =>
      said(judgeTranslatedOutput(set, NODE, choice, outInterface, WEB)),
    forward: (inInterface: string, outInterface: string, accepted = false): string =>
      said(judgeForward(set, NODE, choice, inInterface, outInterface, WEB, { accepted })),
    judgeForward: (inInterface: string, outInterface: string): Judgement =>
      judgeForward(set, NODE, choice, inInterface, outInterface, WEB),
    preDNAT: (inInterface: string): string => said(judgePreDNAT(set, NODE, choice, inInterface, WEB)),
    untracked: (name: string, direction: Direction): string =>
      said(judgeUntracked(set, NODE, choice, name, direction, WEB)),
  };
}

/** Verdict, the endpoint that spoke last, and why. */
function said({ verdict, endpoint, reason }: Judgement): string {
  return endpoint === undefined ? `${verdict} ${reason}` : `${verdict} ${endpoint} ${reason}`;
}

function forwardPolicy(side: string, direction: "ingress" | "egress", action: "Allow" | "Deny") {
  return policy({ name: side, selector: `side == '${side}'`, [direction]: [{ action }], applyOnForward: true });
}

describe("traffic of the host itself (SEMANTICS 3.4, I4 and O4)", () => {
  const { input, output } = host([wan], [policy({ name: "in", ingress: [{}] })]);

  it("is judged by the endpoint of the interface, in its direction", () => {
    expect(input("eth0")).toBe("allow wan policy");
    expect(output("eth0")).toBe("deny wan no-policy");
  });

  it("returns to the machine's own rules where no endpoint governs", () => {
    expect(input("eth1")).toBe("return no-endpoint");
    expect(output("eth1")).toBe("return no-endpoint");
    expect(input("lo")).toBe("return no-endpoint");
  });

  it("under a wildcard is judged everywhere but on loopback", () => {
    const star = host([hostEndpoint({ name: "star", interfaceName: "*" })]);
    expect(star.input("any0")).toBe("deny star no-policy");
    expect(star.output("lo")).toBe("return no-endpoint");
  });
});

describe("forwarded traffic (SEMANTICS 3.4, F1, F4 and F6)", () => {
  it("passes an endpoint without applyOnForward policies, whatever its other policies say", () => {
    const { forward } = host([wan, lan], [policy({ ingress: [{ action: "Deny" }], egress: [{ action: "Deny" }] })]);
    expect(forward("eth0", "eth1")).toBe("allow lan forward-default");
    expect(forward("eth0", "eth2")).toBe("allow wan forward-default");
    expect(forward("eth2", "eth3")).toBe("return no-endpoint");
  });

  it("is denied by ingress of the one side or egress of the other", () => {
    const wanDenies = [forwardPolicy("wan", "ingress", "Deny"), forwardPolicy("lan", "egress", "Allow")];
    expect(host([wan, lan], wanDenies).forward("eth0", "eth1")).toBe("deny wan policy");
    const lanDenies = [forwardPolicy("wan", "ingress", "Allow"), forwardPolicy("lan", "egress", "Deny")];
    expect(host([wan, lan], lanDenies).forward("eth0", "eth1")).toBe("deny lan policy");
    expect(host([wan, lan], lanDenies).forward("eth0", "eth2")).toBe("allow wan policy");
  });

  it("is not held up by the other direction's policies: the way back returns to the machine's rules (trap 14)", () => {
    const { forward } = host([wan], [forwardPolicy("wan", "ingress", "Deny")]);
    expect(forward("eth0", "eth1")).toBe("deny wan policy");
    expect(forward("eth1", "eth0")).toBe("return wan forward-default");
  });

  it("ends as the last endpoint leaves it", () => {
    const policies = [forwardPolicy("wan", "ingress", "Allow"), forwardPolicy("lan", "ingress", "Deny")];
    expect(host([wan, lan], policies).forward("eth0", "eth1")).toBe("return lan forward-default");
  });

  it("has no failsafe ports (trap 23)", () => {
    const set = resourceSet({ hostEndpoints: [wan], policies: [forwardPolicy("wan", "ingress", "Deny")] });
    const ssh = packet({ protocol: PROTOCOL.tcp, port: 22 });
    expect(said(judgeForward(set, NODE, chooseEndpoints(set, NODE, []), "eth0", "eth1", ssh))).toBe("deny wan policy");
  });

  it("carries what both endpoints logged", () => {
    const policies = [
      policy({ name: "wan", selector: "side == 'wan'", ingress: [{ action: "Log" }, {}], applyOnForward: true }),
      policy({ name: "lan", selector: "side == 'lan'", egress: [{ action: "Log" }, {}], applyOnForward: true }),
    ];
    const { steps } = host([wan, lan], policies).judgeForward("eth0", "eth1");
    expect(steps.map(({ endpoint, decision }) => [endpoint.name, decision.logged[0]?.policy])).toEqual([
      ["wan", "wan"],
      ["lan", "lan"],
    ]);
  });
});

describe("the accept mark (SEMANTICS 3.4, A)", () => {
  const wanDenies = forwardPolicy("wan", "ingress", "Deny");

  it("lets a packet to the host past its normal policy (I3, trap 15)", () => {
    const { input } = host([wan]);
    expect(input("eth0", WEB, true)).toBe("allow accepted");
    expect(input("eth0", WEB)).toBe("deny wan no-policy");
  });

  it("spares a forwarded packet the ingress policy of the host's interface, not the egress one (F1, F4)", () => {
    const lanDenies = forwardPolicy("lan", "egress", "Deny");
    expect(host([wan], [wanDenies]).forward("eth0", "eth1", true)).toBe("allow accepted");
    expect(host([wan, lan], [wanDenies, lanDenies]).forward("eth0", "eth1", true)).toBe("deny lan policy");
  });

  it("is gone where the last endpoint asked does not renew it (F6)", () => {
    const { forward } = host([wan, lan], [forwardPolicy("lan", "ingress", "Deny")]);
    expect(forward("eth0", "eth1", true)).toBe("return lan forward-default");
  });

  it("lets the host's own packet out (O1)", () => {
    expect(host([wan]).output("eth0", { accepted: true })).toBe("allow accepted");
  });
});

describe("workloads (SEMANTICS 3.4, I2, F2, F3 and O2)", () => {
  const star = hostEndpoint({ name: "star", interfaceName: "*" });
  const pods = [
    workloadEndpoint({ name: "web", interfaceName: "cali1", labels: { run: "web" } }),
    workloadEndpoint({ name: "db", interfaceName: "cali2", labels: { run: "db" } }),
  ];
  const denied = (run: string, direction: Direction): Policy =>
    policy({ name: "np", namespace: "default", selector: `run == '${run}'`, [direction]: [{ action: "Deny" }] });
  const on = (policies: readonly Policy[], options: SetOptions = {}) =>
    host([star], policies, { workloadEndpoints: pods, ...options });
  const acting = (defaultEndpointToHostAction: "Drop" | "Accept" | "Return"): SetOptions => ({
    felixConfigurations: [felix({ defaultEndpointToHostAction })],
  });

  it("to their host ask their own egress, then defaultEndpointToHostAction; never a HostEndpoint (trap 20)", () => {
    expect(on([]).input("cali1")).toBe("deny workload-to-host");
    expect(on([], acting("Drop")).input("cali1")).toBe("deny workload-to-host");
    expect(on([], acting("Return")).input("cali1")).toBe("return workload-to-host");
    expect(on([], acting("Accept")).input("cali1")).toBe("allow default/web profile");
    expect(on([denied("web", "egress")], acting("Accept")).input("cali1")).toBe("deny default/web policy");
  });

  it("to their host are not helped by an accept mark (trap 17)", () => {
    expect(on([]).input("cali1", WEB, true)).toBe("deny workload-to-host");
  });

  it("may always ask their host for neighbours, but not advertise a router (trap 31)", () => {
    const sent = (type: number): string => on([]).input("cali1", packet({ from: "fe80::1", icmp: [type, 0] }));
    for (const type of [130, 131, 132, 133, 135, 136]) expect(sent(type)).toBe("allow neighbour-discovery");
    for (const type of [128, 134, 137, 143]) expect(sent(type)).toBe("deny workload-to-host");
    expect(on([]).input("cali1", packet({ icmp: [135, 0] }))).toBe("deny workload-to-host");
  });

  it("that nobody knows are denied, both ways, whoever is at the other end", () => {
    const { input, forward } = on([], acting("Accept"));
    expect(input("cali9")).toBe("deny unknown-workload");
    expect(forward("cali9", "eth0")).toBe("deny unknown-workload");
    expect(forward("eth0", "cali9")).toBe("deny unknown-workload");
    expect(forward("cali1", "cali9")).toBe("deny unknown-workload");
  });

  it("one to another ask egress of the first, then ingress of the second (F2, F3, trap 46)", () => {
    const { forward } = host([], [], { workloadEndpoints: pods });
    expect(forward("cali1", "cali2")).toBe("allow default/db profile");
    expect(on([denied("web", "egress")]).forward("cali1", "cali2")).toBe("deny default/web policy");
    expect(on([denied("db", "ingress")]).forward("cali1", "cali2")).toBe("deny default/db policy");
    expect(on([denied("web", "ingress"), denied("db", "egress")]).forward("cali1", "cali2")).toMatch(/^allow/);
    const hairpin = on([denied("web", "ingress")]);
    expect(hairpin.forward("cali1", "cali1")).toBe("deny default/web policy");
  });

  it("are under a wildcard's applyOnForward policies too, and these come last", () => {
    const aof = policy({ name: "aof", selector: "!has(run)", types: ["egress"], applyOnForward: true });
    const { forward, judgeForward: judge } = on([aof]);
    expect(forward("cali1", "cali2")).toBe("deny star end-of-tier");
    const asked = judge("cali1", "cali2").steps.map(({ endpoint, policyClass, direction }) => {
      return `${endpoint.name} ${policyClass} ${direction}`;
    });
    expect(asked).toEqual(["star forward ingress", "web normal egress", "db normal ingress", "star forward egress"]);
  });

  it("keep their own policies under an accept mark (trap 17)", () => {
    expect(on([denied("db", "ingress")]).forward("eth0", "cali2", true)).toBe("deny default/db policy");
  });

  it("are never denied what their host sends (O2, trap 20)", () => {
    const { output, translatedOutput } = on([denied("web", "ingress")]);
    expect(output("cali1")).toBe("return host-to-workload");
    expect(translatedOutput("cali1")).toBe("return host-to-workload");
  });

  it("row 94: may not send tunnel packets, whatever their policies allow; others may send them to a workload", () => {
    const set = resourceSet({ workloadEndpoints: pods });
    const choice = chooseEndpoints(set, NODE, []);
    for (const tunnel of [packet({ protocol: PROTOCOL.udp, port: 4789 }), packet({ protocol: 4 })]) {
      expect(said(judgeForward(set, NODE, choice, "cali1", "eth0", tunnel))).toBe("deny default/web encapsulation");
      expect(said(judgeInput(set, NODE, choice, "cali1", tunnel))).toBe("deny default/web encapsulation");
      expect(said(judgeForward(set, NODE, choice, "eth0", "cali1", tunnel))).toBe("allow default/web profile");
    }
  });
});

describe("DNATed packets of the host itself (SEMANTICS 3.4, O4 and P2, trap 21)", () => {
  it("are not judged at OUTPUT but behind the translation", () => {
    const { output, translatedOutput } = host([wan]);
    expect(output("eth0", { translated: true })).toBe("return translated");
    expect(translatedOutput("eth0")).toBe("deny wan no-policy");
    expect(translatedOutput("eth1")).toBe("return no-endpoint");
  });
});

describe("before DNAT and connection tracking (SEMANTICS 3.4, raw and mangle)", () => {
  it("ask the interface's endpoint in that class only", () => {
    const policies = [
      policy({ name: "pre", selector: "side == 'wan'", preDNAT: true, ingress: [{ action: "Deny" }] }),
      policy({ name: "raw", selector: "side == 'lan'", doNotTrack: true, ingress: [{}], types: ["ingress", "egress"] }),
    ];
    const { preDNAT, untracked } = host([wan, lan], policies);
    expect(preDNAT("eth0")).toBe("deny wan policy");
    expect(preDNAT("eth1")).toBe("return no-endpoint");
    expect(untracked("eth1", "ingress")).toBe("allow lan policy");
    expect(untracked("eth1", "egress")).toBe("return lan no-match");
    expect(untracked("eth0", "ingress")).toBe("return no-endpoint");
  });
});
