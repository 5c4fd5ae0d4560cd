/**
 * What a policy change means for connections that are open (rows 12, 44 and
 * 99): with `established: keep` they go on, as in Calico; with `rejudge`, the
 * default, the new policy is asked about them.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTcp, openUdp } from "../../src/sandbox/probe.ts";
import type { Conversation } from "../../src/sandbox/probe.ts";
import { allowPorts, ETH0, felixConfiguration, policy } from "./support/documents.ts";
import { expectPaths, FAMILIES as PATH_FAMILIES } from "./support/expect-path.ts";
import { expectDropped, FAMILIES, Lab } from "./support/lab.ts";
import { globalPolicy, namespace, networkPolicy, nodeEndpoint, pod } from "./support/pod-documents.ts";
import { NODE, NODE_ADDRESS, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";

const NO_FAILSAFE = felixConfiguration({ failsafeInboundHostPorts: [], failsafeOutboundHostPorts: [] });
const IN = allowPorts("in", "ingress", 8080);
const OUT = allowPorts("out", "egress", 8080);

describe.each(["keep", "rejudge"] as const)("established: %s", (established) => {
  let lab: Lab;
  let file: PolicyFile;

  beforeAll(async () => {
    lab = await Lab.create();
    // So that connections are tracked before the first endpoint is there, as they are on any node.
    for (const iptables of ["iptables", "ip6tables"]) {
      await lab.shield.run([iptables, "-A", "INPUT", "-m", "conntrack", "--ctstate", "NEW"], { check: true });
    }
    file = await PolicyFile.start(lab.shield, { established });
  });
  afterAll(async () => {
    await file?.rampart.stop();
    await lab?.destroy();
  });

  async function expectAfterChange(connection: Conversation, what: string): Promise<void> {
    const heard = await connection.exchange(what, established === "keep" ? 4000 : 600);
    expect(heard).toEqual(
      established === "keep" ? { outcome: "line", line: what } : { outcome: "timeout", line: "" },
    );
  }

  describe.each(FAMILIES)("over $family", ({ shield, client }) => {
    test("row 99: a session that was open before the endpoint was, without failsafe ports", async () => {
      await file.enforce();
      const session = await openTcp(lab.client, shield, 22);
      expect(await session.exchange("before")).toMatchObject({ line: "before" });
      await file.enforce(ETH0, NO_FAILSAFE);
      await expectAfterChange(session, "after");
      await expectDropped(lab.client, shield, 22);
      await session.close();
    });

    test("row 12: connections in and out whose rules are turned into a deny; new ones are denied either way", async () => {
      await file.enforce(ETH0, IN, OUT);
      const [inward, outward, datagrams] = await Promise.all([
        openTcp(lab.client, shield, 8080),
        openTcp(lab.shield, client, 8080),
        openUdp(lab.client, shield, 8080),
      ]);
      for (const each of [inward, outward, datagrams]) expect(await each.exchange("before")).toMatchObject({ line: "before" });
      const deny = [{ action: "Deny" }];
      await file.enforce(ETH0, policy("deny", { types: ["Ingress", "Egress"], ingress: deny, egress: deny }));
      await Promise.all([inward, outward, datagrams].map((each) => expectAfterChange(each, "after")));
      await expectDropped(lab.client, shield, 8080);
      await expectDropped(lab.shield, client, 8080);
      for (const each of [inward, outward, datagrams]) await each.close();
    });

    test("row 44: what a policy that goes has denied is open again, and stays open to those that came in", async () => {
      const deny = policy("deny", { order: 1, ingress: [{ action: "Deny" }] });
      await file.enforce(ETH0, IN, deny);
      await expectDropped(lab.client, shield, 8080);
      await file.enforce(ETH0, IN);
      const connection = await openTcp(lab.client, shield, 8080);
      expect(await connection.exchange("before")).toMatchObject({ line: "before" });
      await file.enforce(ETH0, IN, deny);
      await expectAfterChange(connection, "after");
      await connection.close();
    });

    if (established !== "keep") return;
    test("what is kept goes on with the daemon dead, in either direction", async () => {
      await file.enforce(ETH0, IN, OUT);
      const connections = await Promise.all([openTcp(lab.client, shield, 8080), openTcp(lab.shield, client, 8080)]);
      for (const each of connections) expect(await each.exchange("before")).toMatchObject({ line: "before" });
      await file.enforce(ETH0);
      await file.rampart.kill();
      try {
        for (const each of connections) expect(await each.exchange("dead", 4000)).toMatchObject({ line: "dead" });
      } finally {
        await file.rampart.start();
      }
      for (const each of connections) await each.close();
    });
  });
});

describe("established: keep, for what is forwarded and translated", () => {
  const PODS = ["w0", "w1"].map((name, index) => ({
    namespace: "default",
    name,
    ipv4: `10.65.0.${index + 1}`,
    ipv6: `fd65::${index + 1}`,
  }));
  const INVENTORY = [
    namespace("default"),
    ...PODS.map(({ ipv4, ipv6, ...rest }) => pod({ ...rest, addresses: [ipv4, ipv6], node: NODE })),
  ];
  const CLOSED = networkPolicy("closed", { selector: "all()", types: ["Ingress", "Egress"] });
  const wildcard = nodeEndpoint(NODE, "every-interface", { interfaceName: "*" });
  const preDNAT = (rule: object): string => {
    const kind = { preDNAT: true, applyOnForward: true, types: ["Ingress"] };
    return globalPolicy("early", { selector: "has(host-endpoint)", ...kind, ingress: [rule] });
  };

  let lab: PodLab;
  let file: PolicyFile;

  beforeAll(async () => {
    lab = await PodLab.create({ pods: PODS, tcpPorts: [4000], udpPorts: [] });
    // A service of the node's own, which sends what it gets to a pod.
    for (const [iptables, from, to] of [
      ["iptables", NODE_ADDRESS[4], "10.65.0.1:4000"],
      ["ip6tables", NODE_ADDRESS[6], "[fd65::1]:4000"],
    ] as const) {
      const rule = ["-d", from, "-p", "tcp", "--dport", "8000", "-j", "DNAT", "--to-destination", to];
      await lab.node.run([iptables, "-t", "nat", "-A", "PREROUTING", ...rule], { check: true });
    }
    file = await PolicyFile.start(lab.node, { established: "keep" });
  });
  afterAll(async () => {
    await file?.rampart.stop();
    await lab?.destroy();
  });

  test.each(PATH_FAMILIES)("pods go on talking to each other after a policy closed them (IPv%i)", async (family) => {
    await file.enforce(...INVENTORY);
    const connection = await openTcp(lab.host("w1"), lab.address("w0", family), 4000);
    expect(await connection.exchange("before")).toMatchObject({ line: "before" });
    await file.enforce(...INVENTORY, CLOSED);
    expect(await connection.exchange("after", 4000)).toMatchObject({ line: "after" });
    await expectPaths(lab, { "w1>w0": "drop" }, [family]);
    await connection.close();
  });

  test.each(PATH_FAMILIES)("a connection goes on that preDNAT policy denies now (IPv%i)", async (family) => {
    await file.enforce(...INVENTORY, wildcard, preDNAT({ action: "Allow" }));
    const connection = await openTcp(lab.ext, NODE_ADDRESS[family], 8000);
    expect(await connection.exchange("before")).toMatchObject({ line: "before" });
    await file.enforce(...INVENTORY, wildcard, preDNAT({ action: "Deny" }), CLOSED);
    expect(await connection.exchange("after", 4000)).toMatchObject({ line: "after" });
    await expectDropped(lab.ext, NODE_ADDRESS[family], 8000);
    await connection.close();
  });
});
