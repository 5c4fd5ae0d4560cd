/** Two nodes under protection and a pod on each: which of their paths a node's policy is asked about. */
import { afterAll, beforeAll, describe, test } from "vitest";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Family, Outcomes } from "./support/expect-path.ts";
import { ALLOW, DENY, felix, globalPolicy, tier } from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE_ADDRESS } from "./support/pod-lab.ts";
import { H0, H1, nodeEndpoints, TwoNodes } from "./support/two-nodes.ts";

let nodes: TwoNodes;

beforeAll(async () => {
  nodes = await TwoNodes.create();
});
afterAll(() => nodes?.destroy());

function expectOutcomes(outcomes: Outcomes, families: readonly Family[] = FAMILIES): Promise<void> {
  return expectPaths(nodes, outcomes, families);
}

const BOTH = { types: ["Ingress", "Egress"], ingress: [ALLOW], egress: [ALLOW] };
const NODES = { selector: "has(host-endpoint)" };
const PODS_PASS = { "w0>w1": "pass", "w1>w0": "pass", "h0>w0": "pass", "h1>w1": "pass" } as const;

test("19: without endpoints and with forwarding off, only what needs no forwarding passes", async () => {
  await nodes.enforce();
  for (const name of ["h0", "h1"]) await nodes.host(name).sysctl("net.ipv4.ip_forward", 0);
  try {
    await expectOutcomes({ "h0>h1": "pass", "h0>w0": "pass", "h0>w1": "drop", "w0>w1": "drop" }, [4]);
  } finally {
    for (const name of ["h0", "h1"]) await nodes.host(name).enableForwarding();
  }
});

describe.each(["eth0", "*"])("endpoints of interface %s", (interfaceName) => {
  const endpoints = nodeEndpoints(interfaceName);
  const inTier = (name: string, order: number, node: string, spec: object): string =>
    globalPolicy(`security.${name}`, { tier: "security", order, selector: `node == '${node}'`, ...spec });
  const SECURITY = tier("security", { order: 1 });

  test("1, 2: with no policy a node neither reaches the other node nor its pod", async () => {
    await nodes.enforce(endpoints);
    await expectOutcomes({ "h0>h1": "drop", "h1>h0": "drop", "h0>w1": "drop", "h1>w0": "drop", "udp h0>h1": "drop" });
  });

  test("3: a node reaches its own pod, and the pods each other", async () => {
    await nodes.enforce(endpoints);
    await expectOutcomes(PODS_PASS);
  });

  test("5: a node reaches its own pod by a service address", async () => {
    await nodes.enforce(endpoints);
    await expectOutcomes({ "h0>vip": "pass" });
  });

  test("7: a pod reaches the other node's pod by a service address", async () => {
    await nodes.enforce(endpoints);
    await expectOutcomes({ "w0>service": "pass" });
  });

  test("8: a node reaches failsafe ports of the other", async () => {
    await nodes.enforce(endpoints);
    await expectOutcomes({ "h0>h1:6443": "pass", "h0>h1:5473": "pass", "h0>h1:22": "drop", "h0>h1:9091": "drop" });
  });

  test("10, 11, 12: between nodes the one must let out what the other must let in", async () => {
    const out = inTier("out", 10, H0, { types: ["Egress"], egress: [ALLOW] });
    const inward = (rule: object): string => inTier("in", 10, H1, { types: ["Ingress"], ingress: [rule] });
    await nodes.enforce(endpoints, SECURITY, out);
    await expectOutcomes({ "h0>h1": "drop", "h1>h0": "drop", "h1>w0": "drop", ...PODS_PASS });
    await nodes.enforce(endpoints, SECURITY, out, inward(ALLOW));
    await expectOutcomes({ "h0>h1": "pass", "h1>h0": "drop" });
    await nodes.enforce(endpoints, SECURITY, out, inward(DENY));
    await expectOutcomes({ "h0>h1": "drop", "h0>w1": "pass" });
  });

  test("14: a policy without applyOnForward denies the nodes and not their pods", async () => {
    const deny = { ...NODES, types: ["Ingress", "Egress"], ingress: [DENY], egress: [DENY] };
    await nodes.enforce(endpoints, globalPolicy("deny", deny));
    await expectOutcomes({ "h0>h1": "drop", "h1>h0": "drop", "h0>w1": "drop", "h1>w0": "drop", ...PODS_PASS });
  });

  test("15: the profile that allows everything opens every path", async () => {
    await nodes.enforce(nodeEndpoints(interfaceName, { profiles: ["projectcalico-default-allow"] }));
    await expectOutcomes({ "h0>h1": "pass", "h1>h0": "pass", "h0>w1": "pass", "h1>w0": "pass", ...PODS_PASS });
  });

  test("16: a deny on the way out of one node, above that profile", async () => {
    await nodes.enforce(
      nodeEndpoints(interfaceName, { profiles: ["projectcalico-default-allow"] }),
      globalPolicy("out", { selector: `node == '${H0}'`, types: ["Egress"], egress: [DENY] }),
    );
    await expectOutcomes({ "h0>h1": "drop", "h0>w1": "drop", "h1>h0": "pass", "h1>w0": "pass", ...PODS_PASS });
  });
});

const EVERYWHERE = [
  [20, "found by address", undefined],
  [21, "the wildcard", "*"],
] as const;

test.each(EVERYWHERE)("%i: endpoints (%s) that allow everything", async (_row, _how, interfaceName) => {
  // A pod is a guest of its node: what it sends to the node itself goes by this action.
  await nodes.enforce(
    nodeEndpoints(interfaceName),
    felix({ defaultEndpointToHostAction: "Accept" }),
    globalPolicy("all", { ...NODES, ...BOTH }),
  );
  await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass", "w0>h1": "pass", "w1>h0": "pass", "h0>h1": "pass" });
});

describe("what a pod sends to its own node", () => {
  const FOR_H0 = { selector: `node == '${H0}'` };
  const wildcard = nodeEndpoints("*");
  const toNodes = [...Object.values(NODE_ADDRESS), ...Object.values(EXT_ADDRESS)];
  const preDNAT = (rules: readonly object[]): string =>
    globalPolicy("early", { ...FOR_H0, preDNAT: true, applyOnForward: true, types: ["Ingress"], ingress: rules });
  const denyNodes = toNodes.map((address) => ({
    action: "Deny",
    destination: { nets: [address + (address.includes(":") ? "/128" : "/32")] },
  }));

  const ROWS = [
    {
      row: 46,
      what: "no endpoint",
      input: "DROP",
      documents: [],
      passes: { Accept: true, Return: false, Drop: false },
    },
    {
      row: 47,
      what: "no endpoint",
      input: "ACCEPT",
      documents: [],
      passes: { Accept: true, Return: true, Drop: false },
    },
    {
      row: 49,
      what: "a wildcard that allows before DNAT",
      input: "DROP",
      documents: [wildcard, preDNAT([ALLOW])],
      passes: { Accept: true, Return: false, Drop: false },
    },
    {
      row: 50,
      what: "a wildcard that denies before DNAT",
      input: "DROP",
      documents: [wildcard, preDNAT(denyNodes)],
      passes: { Accept: false, Return: false, Drop: false },
    },
    {
      row: 50,
      what: "a wildcard that denies before DNAT",
      input: "ACCEPT",
      documents: [wildcard, preDNAT(denyNodes)],
      passes: { Accept: false, Return: false, Drop: false },
    },
    {
      row: 51,
      what: "a wildcard that allows",
      input: "DROP",
      documents: [wildcard, globalPolicy("all", { ...FOR_H0, ...BOTH })],
      passes: { Accept: true, Return: false, Drop: false },
    },
  ] as const;

  beforeAll(async () => {
    // The metrics are read over loopback, and the two nodes must find each other.
    for (const [iptables, needed] of [
      ["iptables", "-i lo"],
      ["ip6tables", "-i lo"],
      ["ip6tables", "-i eth0 -p icmpv6"],
    ] as const) {
      await nodes.h0.run([iptables, "-A", "INPUT", ...needed.split(" "), "-j", "ACCEPT"], { check: true });
    }
  });

  async function inputPolicy(policy: "DROP" | "ACCEPT"): Promise<void> {
    for (const iptables of ["iptables", "ip6tables"]) {
      await nodes.h0.run([iptables, "-P", "INPUT", policy], { check: true });
    }
  }

  const titled = ROWS.map((row) => [`${row.row}, 53: with ${row.what}, INPUT policy ${row.input}`, row] as const);
  test.each(titled)("%s", async (_title, { input, documents, passes }) => {
    await inputPolicy(input);
    try {
      for (const action of ["Accept", "Return", "Drop"] as const) {
        await nodes.enforce(felix({ defaultEndpointToHostAction: action }), ...documents);
        const outcome = passes[action] ? "pass" : "drop";
        await expectOutcomes({ "w0>h0": outcome, "udp w0>h0": outcome, "w0>w1": "pass" });
      }
    } finally {
      await inputPolicy("ACCEPT");
    }
  });

  test("failsafe ports are for the node's own endpoints: a pod does not reach them", async () => {
    await nodes.enforce(wildcard);
    await expectOutcomes({ "w0>h0:22": "drop", "w1>h0:22": "pass", "w0>h1:22": "pass" });
  });
});
