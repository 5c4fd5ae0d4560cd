import { describe, expect, it } from "vitest";
import { chooseEndpoints } from "../../src/policy/endpoint-choice.ts";
import { judgeForward, judgeInput, judgeOutput } from "../../src/policy/walk.ts";
import type { Judgement } from "../../src/policy/walk.ts";
import type { GlobalNetworkPolicy, HostEndpoint } from "../../src/resources/types.ts";
import { hostEndpoint, NODE, packet, policy, PROTOCOL, resourceSet } from "./build.ts";

const wan = hostEndpoint({ name: "wan", interfaceName: "eth0", labels: { side: "wan" } });
const lan = hostEndpoint({ name: "lan", interfaceName: "eth1", labels: { side: "lan" } });
const WEB = packet({ port: 80 });

function host(endpoints: readonly HostEndpoint[], policies: readonly GlobalNetworkPolicy[] = []) {
  const set = resourceSet({ hostEndpoints: endpoints, policies });
  const choice = chooseEndpoints(set, NODE, []);
  return {
    input: (inInterface: string): string => said(judgeInput(set, NODE, choice, inInterface, WEB)),
    output: (outInterface: string): string => said(judgeOutput(set, NODE, choice, outInterface, WEB)),
    forward: (inInterface: string, outInterface: string): string =>
      said(judgeForward(set, NODE, choice, inInterface, outInterface, WEB)),
    judgeForward: (inInterface: string, outInterface: string): Judgement =>
      judgeForward(set, NODE, choice, inInterface, outInterface, WEB),
  };
}

function said({ verdict, endpoint, decision }: Judgement): string {
  return endpoint === undefined ? verdict : `${verdict} ${endpoint} ${decision?.reason}`;
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
    expect(input("eth1")).toBe("return");
    expect(output("eth1")).toBe("return");
    expect(input("lo")).toBe("return");
  });

  it("under a wildcard is judged everywhere but on loopback", () => {
    const star = host([hostEndpoint({ name: "star", interfaceName: "*" })]);
    expect(star.input("any0")).toBe("deny star no-policy");
    expect(star.output("lo")).toBe("return");
  });
});

describe("forwarded traffic (SEMANTICS 3.4, F1, F4 and F6)", () => {
  it("passes an endpoint without applyOnForward policies, whatever its other policies say", () => {
    const { forward } = host([wan, lan], [policy({ ingress: [{ action: "Deny" }], egress: [{ action: "Deny" }] })]);
    expect(forward("eth0", "eth1")).toBe("allow lan forward-default");
    expect(forward("eth0", "eth2")).toBe("allow wan forward-default");
    expect(forward("eth2", "eth3")).toBe("return");
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
    const { decision } = host([wan, lan], policies).judgeForward("eth0", "eth1");
    expect(decision?.logged.map(({ policy }) => policy)).toEqual(["wan", "lan"]);
  });
});
