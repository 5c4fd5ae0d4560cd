/** Policy for pods of one node, each family by itself: what a pod may reach and who may reach it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import { icmpListener } from "./support/icmp.ts";
import {
  ALLOW,
  DENY,
  globalPolicy,
  kubernetesPolicy,
  namespace,
  networkPolicy,
  pod,
  stagedPolicy,
  tcp,
  tier,
} from "./support/pod-documents.ts";
import { NODE, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";
import { SctpPeer } from "./support/sctp.ts";

const PODS = ["w0", "w1", "w2"].map((name, index) => ({
  namespace: "default",
  name,
  ipv4: `10.65.0.${index + 1}`,
  ipv6: `fd65::${index + 1}`,
}));
const OUTSIDER = { namespace: "other", name: "x0", ipv4: "10.65.1.1", ipv6: "fd65::1:1" };
/** Paths lead to port 4000 unless they say otherwise; the first two have names. */
const SHARED = 1100;
const OWN = (index: number): number => 1000 + index;
const PORTS = [4000, SHARED, OWN(0), OWN(2), 3000];

let lab: PodLab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await PodLab.create({ pods: [...PODS, OUTSIDER], tcpPorts: PORTS, udpPorts: [...PORTS, 4789] });
  file = await PolicyFile.start(lab.node);
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(lab, outcomes);
}

function inventory(otherLabels: Readonly<Record<string, string>> = {}): string {
  const documents = PODS.map(({ name, ipv4, ipv6 }, index) => {
    const ports = (["TCP", "UDP", "SCTP"] as const).flatMap((protocol) => [
      { name: `shared-${protocol.toLowerCase()}`, containerPort: SHARED, protocol },
      { name: `w${index}-${protocol.toLowerCase()}`, containerPort: OWN(index), protocol },
    ]);
    return pod({ namespace: "default", name, addresses: [ipv4, ipv6], node: NODE, ports });
  });
  const { ipv4, ipv6, ...outsider } = OUTSIDER;
  return [
    namespace("default"),
    namespace("other", otherLabels),
    ...documents,
    pod({ ...outsider, addresses: [ipv4, ipv6], node: NODE }),
  ].join("");
}

function enforce(...policies: readonly string[]): Promise<void> {
  return file.enforce(inventory(), ...policies);
}

const W0 = { selector: "name == 'w0'" };
const FROM_W1 = { action: "Allow", source: { selector: "name == 'w1'" } };
const TO_W1 = { action: "Allow", destination: { selector: "name == 'w1'" } };

describe("a namespace's policy for one pod", () => {
  test("without any policy every path passes", async () => {
    await enforce();
    await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass", "w0>ext": "pass", "ext>w0": "pass", "udp x0>w0": "pass" });
  });

  test("54: ingress from one pod closes the pod to all others and leaves what it sends alone", async () => {
    await enforce(networkPolicy("in", { ...W0, ingress: [FROM_W1] }));
    await expectOutcomes({ "w1>w0": "pass", "w2>w0": "drop", "ext>w0": "drop", "w0>w1": "pass", "w0>w2": "pass" });
    await expectOutcomes({ "udp w1>w0": "pass", "udp w2>w0": "drop", "ping w1>w0": "pass", "ping w2>w0": "drop" });
  });

  test("55: egress to one pod closes its way to all others and leaves what it receives alone", async () => {
    await enforce(networkPolicy("out", { ...W0, egress: [TO_W1] }));
    await expectOutcomes({ "w0>w2": "drop", "w0>ext": "drop", "w0>w1": "pass", "w1>w0": "pass", "w2>w0": "pass" });
  });

  test("56: both types with ingress rules only: nothing may leave the pod", async () => {
    await enforce(networkPolicy("in", { ...W0, types: ["Ingress", "Egress"], ingress: [FROM_W1] }));
    await expectOutcomes({ "w1>w0": "pass", "w2>w0": "drop", "w0>w1": "drop", "w0>w2": "drop", "udp w0>w1": "drop" });
  });

  test("58: both types with egress rules only: nobody reaches the pod", async () => {
    await enforce(networkPolicy("out", { ...W0, types: ["Ingress", "Egress"], egress: [TO_W1] }));
    await expectOutcomes({ "w0>w1": "pass", "w0>w2": "drop", "w1>w0": "drop", "w2>w0": "drop" });
  });

  test("59: an empty ingress list without types closes the pod and leaves what it sends alone", async () => {
    await enforce(networkPolicy("in", { ...W0, ingress: [] }));
    await expectOutcomes({ "w1>w0": "drop", "w2>w0": "drop", "ext>w0": "drop", "w0>w1": "pass", "w0>ext": "pass" });
  });

  test("the node reaches its own pods whatever their policy is", async () => {
    await enforce(networkPolicy("closed", { selector: "all()", types: ["Ingress", "Egress"] }));
    await expectOutcomes({ "node>w0": "pass", "node>w1": "pass", "w1>w0": "drop", "ext>w0": "drop" });
  });
});

describe("Kubernetes NetworkPolicy", () => {
  const DEFAULT_DENY = kubernetesPolicy("default-deny", { podSelector: {}, policyTypes: ["Ingress"] });

  test("default deny closes every pod of the namespace and no other", async () => {
    await enforce(DEFAULT_DENY);
    await expectOutcomes({ "w1>w0": "drop", "x0>w2": "drop", "udp ext>w1": "drop", "ping w1>w0": "drop" });
    await expectOutcomes({ "w0>x0": "pass", "udp w0>x0": "pass", "w0>ext": "pass" });
  });

  test("it is the union of what each policy allows", async () => {
    const allow = (name: string, from: string) =>
      kubernetesPolicy(name, {
        podSelector: { matchLabels: { name: "w0" } },
        ingress: [{ from: [{ podSelector: { matchLabels: { name: from } } }], ports: [{ port: 4000 }] }],
      });
    await enforce(DEFAULT_DENY, allow("one", "w1"), allow("two", "w2"));
    await expectOutcomes({
      "w1>w0": "pass",
      "w2>w0": "pass",
      "w1>w0:3000": "drop",
      "udp w1>w0": "drop",
      "x0>w0": "drop",
    });
  });

  test("a label that a namespace gains and loses is followed on reload", async () => {
    const fromTeam = kubernetesPolicy("team", {
      podSelector: {},
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: "blue" } } }] }],
    });
    await file.enforce(inventory(), fromTeam);
    await expectOutcomes({ "x0>w0": "drop" });
    await file.enforce(inventory({ team: "blue" }), fromTeam);
    await expectOutcomes({ "x0>w0": "pass", "w1>w0": "drop" });
    await file.enforce(inventory({ team: "red" }), fromTeam);
    await expectOutcomes({ "x0>w0": "drop" });
  });
});

describe("tiers", () => {
  const FIRST = tier("first", { order: 1 });

  test("61: what a tier passes on is judged by the next one", async () => {
    const passing = { tier: "first", selector: "name == 'w0'", ingress: [{ action: "Pass" }] };
    await enforce(FIRST, globalPolicy("first.pass", passing), networkPolicy("open", { ...W0, ingress: [FROM_W1] }));
    await expectOutcomes({ "w1>w0": "pass", "w2>w0": "drop" });
  });

  test("62: a deny in an earlier tier is final, and staged policies have no effect", async () => {
    await enforce(
      FIRST,
      globalPolicy("first.out", { tier: "first", ...W0, types: ["Egress"], egress: [DENY] }),
      networkPolicy("open", { ...W0, types: ["Ingress", "Egress"], ingress: [ALLOW], egress: [ALLOW] }),
      stagedPolicy("staged", { selector: "name == 'w1'", types: ["Ingress", "Egress"] }),
    );
    await expectOutcomes({ "w0>w2": "drop", "w2>w0": "pass", "w2>w1": "pass", "w1>w2": "pass" });
  });

  test("64: the end of a tier denies what it did not pass, unless its default is Pass", async () => {
    const nothing = globalPolicy("first.none", { tier: "first", ...W0, types: ["Ingress", "Egress"] });
    await enforce(FIRST, nothing);
    await expectOutcomes({ "w1>w0": "drop", "w0>w1": "drop" });
    await enforce(tier("first", { order: 1, defaultAction: "Pass" }), nothing);
    await expectOutcomes({ "w1>w0": "pass", "w0>w1": "pass" });
    await enforce(FIRST, nothing);
    await expectOutcomes({ "w1>w0": "drop", "w0>w1": "drop" });
  });
});

describe.each(["tcp", "udp"] as const)("named ports over %s", (protocol) => {
  const allow = (...ports: readonly (number | string)[]) => ({
    action: "Allow",
    protocol: protocol.toUpperCase(),
    destination: { ports },
  });
  const way = (text: string): string => (protocol === "tcp" ? text : `udp ${text}`);
  const outcomes = (given: Outcomes): Outcomes => {
    return Object.fromEntries(Object.entries(given).map(([text, outcome]) => [way(text), outcome]));
  };

  test("73: a name opens the port that the pod gives it", async () => {
    await enforce(networkPolicy("named", { ...W0, ingress: [allow(`shared-${protocol}`)] }));
    await expectOutcomes(outcomes({ "w1>w0:1100": "pass", "w1>w0:1000": "drop", "w1>w0:4000": "drop" }));
    await enforce(networkPolicy("named", { ...W0, ingress: [allow(`w0-${protocol}`)] }));
    await expectOutcomes(outcomes({ "w1>w0:1000": "pass", "w1>w0:1100": "drop" }));
  });

  test("74: names and numbers in one list are alternatives", async () => {
    const many = Array.from({ length: 15 }, (_, index) => 5000 + index);
    await enforce(networkPolicy("mixed", { ...W0, ingress: [allow(`shared-${protocol}`, 3000, ...many)] }));
    await expectOutcomes(outcomes({ "w1>w0:1100": "pass", "w1>w0:3000": "pass", "w1>w0:4000": "drop" }));
  });

  test("76: on the way out a name is that of the destination pods", async () => {
    const destination = { selector: "name == 'w0'", ports: [`shared-${protocol}`] };
    const rule = { action: "Allow", protocol: protocol.toUpperCase(), destination };
    await enforce(networkPolicy("out", { selector: "name != 'w0'", types: ["Egress"], egress: [rule] }));
    await expectOutcomes(outcomes({
      "w1>w0:1100": "pass",
      "w1>w2:1100": "drop",
      "w1>w0:4000": "drop",
      "w0>w2:1100": "pass",
    }));
  });

  test("a name that the pod does not have opens nothing", async () => {
    await enforce(networkPolicy("unknown", { ...W0, ingress: [allow(`w1-${protocol}`)] }));
    await expectOutcomes(outcomes({ "w1>w0:1100": "drop", "w1>w0:1000": "drop" }));
  });
});

test("73: named ports over SCTP", async () => {
  await SctpPeer.start(lab.host("w0"), PORTS);
  const client = await SctpPeer.start(lab.host("w1"), []);
  const shared = { action: "Allow", protocol: "SCTP", destination: { ports: ["shared-sctp"] } };
  await enforce(networkPolicy("named", { ...W0, ingress: [shared] }));
  for (const family of FAMILIES) {
    expect(await client.init(lab.address("w0", family), SHARED, 3000)).toBe("answered");
    expect(await client.init(lab.address("w0", family), 4000, 300)).toBe("timeout");
  }
});

describe("83: global policies of different orders, however their selectors are written", () => {
  const OPEN = globalPolicy("open", { order: 200, types: ["Ingress", "Egress"], ingress: [ALLOW], egress: [ALLOW] });
  const about = (name: string, order: number, action: string, selector: string): string => {
    const peer = { selector: `name == '${name}'` };
    return globalPolicy(`about-${name}`, {
      order,
      selector,
      types: ["Ingress", "Egress"],
      ingress: [{ action, source: peer }],
      egress: [{ action, destination: peer }],
    });
  };

  test.each(["all()", "has(name)", "name in {'w0', 'w1', 'w2', 'x0'}"])("selector %s", async (selector) => {
    await enforce(about("w0", 100, "Allow", selector), about("w1", 101, "Deny", selector), OPEN);
    await expectOutcomes({ "w1>w0": "drop", "w0>w1": "drop", "w2>w1": "drop", "w1>w2": "drop", "w2>w0": "pass" });
    await enforce(about("w0", 100, "Allow", selector), about("w1", 101, "Allow", selector), OPEN);
    await expectOutcomes({ "w1>w0": "pass", "w0>w1": "pass", "w2>w1": "pass" });
  });
});

describe("the packet walk", () => {
  async function forwardPolicy(policy: "DROP" | "ACCEPT"): Promise<void> {
    for (const iptables of ["iptables", "ip6tables"]) {
      await lab.node.run([iptables, "-P", "FORWARD", policy], { check: true });
    }
  }

  test("84: what policy allows passes a FORWARD chain that drops by default", async () => {
    await enforce();
    await forwardPolicy("DROP");
    try {
      await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass" });
      await enforce(networkPolicy("closed", { ...W0, ingress: [FROM_W1] }));
      await expectOutcomes({ "w1>w0": "pass", "w2>w0": "drop" });
      // With no endpoint left it goes by the machine's own rules.
      await file.enforce();
      await expectOutcomes({ "w0>w1": "drop" });
    } finally {
      await forwardPolicy("ACCEPT");
    }
  });

  test.each(FAMILIES)("85: a pod cannot send from another pod's address (IPv%i)", async (family) => {
    const [w0, own, stolen] = [lab.host("w0"), lab.address("w0", family), lab.address("w2", family)];
    const listener = await icmpListener(lab.host("w1"), family === 4 ? "IPv4" : "IPv6");
    const address = [stolen + (family === 4 ? "/32" : "/128"), "dev", "eth0"];
    await w0.run(["ip", "address", "add", ...address, ...(family === 6 ? ["nodad"] : [])], { check: true });
    try {
      const from = (source: string) =>
        w0.run(["ping", "-n", "-q", "-c", "1", "-W", "0.5", "-I", source, lab.address("w1", family)]);
      const request = `type ${family === 4 ? 8 : 128} from`;
      await enforce();
      await from(stolen);
      await from(own);
      await listener.waitForOutput(new RegExp(`${request} ${own}\\n`));
      expect(listener.stdout).not.toContain(`from ${stolen}\n`);
      await file.enforce();
      await from(stolen);
      await listener.waitForOutput(new RegExp(`${request} ${stolen}\\n`));
    } finally {
      await w0.run(["ip", "address", "del", ...address]);
      await listener.stop();
    }
  });

  test("an interface with a workload's name and no endpoint is closed", async () => {
    const { namespace: home, name, ipv4, ipv6 } = OUTSIDER;
    const known = inventory().replace(pod({ namespace: home, name, addresses: [ipv4, ipv6], node: NODE }), "");
    await file.enforce(known);
    await expectOutcomes({ "x0>w0": "drop", "w0>x0": "drop", "x0>ext": "drop", "w1>w0": "pass" });
  });

  test("94: a pod may not send VXLAN, which nobody keeps from reaching it", async () => {
    await enforce();
    await expectOutcomes({ "udp w0>w1:4789": "drop", "udp w0>ext:4789": "drop", "udp node>w0:4789": "pass" });
  });

  test("a pod and its own service address: both its egress and its ingress are asked", async () => {
    for (const [iptables, family] of [["iptables", 4], ["ip6tables", 6]] as const) {
      const [vip, to] = family === 4 ? ["10.96.0.10", "10.65.0.1:4000"] : ["fd96::10", "[fd65::1]:4000"];
      const rule = ["-d", vip, "-p", "tcp", "-j", "DNAT", "--to-destination", to];
      await lab.node.run([iptables, "-t", "nat", "-A", "PREROUTING", ...rule], { check: true });
      // The pod would not take its own address for a peer's.
      const hairpin = ["-s", lab.address("w0", family), "-d", lab.address("w0", family), "-j", "MASQUERADE"];
      await lab.node.run([iptables, "-t", "nat", "-A", "POSTROUTING", ...hairpin], { check: true });
    }
    const places = {
      host: (name: string) => lab.host(name),
      address: (_service: string, family: 4 | 6) => (family === 4 ? "10.96.0.10" : "fd96::10"),
      port: 4000,
    };
    await enforce();
    await expectPaths(places, { "w0>service": "pass" });
    await enforce(networkPolicy("in", { ...W0, ingress: [tcp("Allow", 3000)] }));
    await expectPaths(places, { "w0>service": "drop" });
    await enforce(networkPolicy("out", { ...W0, egress: [tcp("Allow", 3000)] }));
    await expectPaths(places, { "w0>service": "drop" });
    await enforce(networkPolicy("out", { ...W0, egress: [tcp("Allow", 4000)] }));
    await expectPaths(places, { "w0>service": "pass" });
  });
});
