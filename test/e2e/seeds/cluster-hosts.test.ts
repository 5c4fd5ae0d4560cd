/** The third article (seed 002), S29 to S32: the firewall of a cluster's hosts, judged before DNAT. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tcpConnect } from "../../../src/sandbox/probe.ts";
import { adapted, seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

/** Names and IPv4 addresses are the article's; it has no IPv6. */
const NODE = { name: "control1.kryukov.local", interfaceName: "ens160", ipv4: "192.168.218.171", ipv6: "fd18::171" };
const MACHINES = {
  stranger: { ipv4: "192.168.218.50", ipv6: "fd18::50" },
  // Another node of the cluster, and a pod on it.
  peer: { ipv4: "192.168.218.174", ipv6: "fd18::174" },
  far: { ipv4: "10.233.70.9", ipv6: "fd33::70:9" },
};
const PODS = { app: { namespace: "default", name: "app", ipv4: "10.233.64.5", ipv6: "fd33::64:5" } };
/** The cluster's two addresses: of the ingress controller's service, and of the API's proxy. */
const SERVICES = {
  ingress: { ipv4: "192.168.218.180", ipv6: "fd18::180" },
  api: { ipv4: "192.168.218.189", ipv6: "fd18::189" },
};
const OPEN = 9091;
const FAILSAFE = [22, 179, 2379, 2380, 6443, 6666, 6667];
const NODE_PORT = 31000;

const FELIX = seed("002", "FelixConfiguration default");
const ENDPOINT = seed("002", "HostEndpoint control1-ens160", 1);
const ENDPOINT_WITHOUT_ADDRESS = seed("002", "HostEndpoint control1-ens160", 2);
/** The article adds to its rules: pods; then the nodes' addresses, or their endpoints; then loopback. */
const [PODS_ONLY, ADDRESSES, SELECTOR, LOOPBACK] = [1, 2, 3, 4].map((version) => {
  return seed("002", "GlobalNetworkPolicy default-rules", version);
}) as [string, string, string, string];
const OUTBOUND = seed("002", "GlobalNetworkPolicy allow-outbound-external");
const ALLOW_RULES = seed("002", "GlobalNetworkPolicy allow-rules");

let lab: SeedLab;

beforeAll(async () => {
  lab = await SeedLab.create({
    node: NODE,
    pods: PODS,
    machines: MACHINES,
    services: SERVICES,
    tcpPorts: [OPEN, 80, 443, 5473, 7443, ...FAILSAFE],
    udpPorts: [53, 68, OPEN],
    // For S30's rule for 127.0.0.0/8: otherwise no policy is asked about loopback.
    settings: { exemptLoopback: false },
  });
  await lab.dnat("node", NODE_PORT, "app", OPEN);
  await lab.dnat("ingress", 80, "app", 80);
  await lab.dnat("ingress", 443, "app", 443);
  await lab.dnat("ingress", OPEN, "app", OPEN);
  await lab.dnat("api", 7443, "node", OPEN);
  await lab.dnat("api", 443, "node", 443);
});
afterAll(() => lab?.destroy());

function enforce(...documents: readonly string[]): Promise<void> {
  return lab.enforce(lab.inventory(), ...documents);
}

/** The endpoint of "peer", written as the article writes that of its first node. */
function endpointOfPeer(endpoint: string): string {
  return adapted(endpoint, "control1", "control2").replace(NODE.ipv4, MACHINES.peer.ipv4);
}

describe("S29: the list of failsafe ports", () => {
  const listed = Object.fromEntries(FAILSAFE.map((port) => [`stranger>node:${port}`, "pass" as const]));

  test("S29: Calico's own has 5473 coming in", async () => {
    await enforce(ENDPOINT);
    await expectOutcomes(lab, { ...listed, "udp stranger>node:68": "pass", "stranger>node:5473": "pass" });
  });

  test("S29: the article's replaces it: 5473 no longer gets in and still gets out", async () => {
    await enforce(FELIX, ENDPOINT);
    await expectOutcomes(lab, {
      ...listed,
      "udp stranger>node:68": "pass",
      "stranger>node:5473": "drop",
      "stranger>node": "drop",
      "udp stranger>node:53": "drop",
      "node>stranger:5473": "pass",
      "node>stranger:6443": "pass",
      "udp node>stranger:53": "pass",
      "node>stranger:22": "drop",
      "node>stranger": "drop",
    });
  });
});

describe("S30: the rules of order 20, with their Deny at the end", () => {
  test("S30: only the pods' network gets in, to the node and through it", async () => {
    await enforce(ENDPOINT, PODS_ONLY);
    await expectOutcomes(lab, {
      "far>node": "pass",
      "udp far>node:9091": "pass",
      "ping far>node": "pass",
      "far>app": "pass",
      [`far>node:${NODE_PORT}`]: "pass",
      "stranger>node": "drop",
      "udp stranger>node:9091": "drop",
      "ping stranger>node": "drop",
      "stranger>app": "drop",
      [`stranger>node:${NODE_PORT}`]: "drop",
      "peer>node": "drop",
      "peer>app": "drop",
      "stranger>node:22": "pass",
      // Answers come in; what comes in elsewhere was never asked.
      "app>stranger": "pass",
      "ping app>stranger": "pass",
      "node>app": "pass",
    }, [4]);
    await expectOutcomes(lab, { "far>node": "drop", "far>app": "drop", "stranger>node:22": "pass" }, [6]);
  });

  test("S30: nodes get in by their addresses in the rule, whatever their endpoints have", async () => {
    await enforce(ENDPOINT_WITHOUT_ADDRESS, endpointOfPeer(ENDPOINT_WITHOUT_ADDRESS), ADDRESSES);
    await expectOutcomes(lab, {
      "peer>node": "pass",
      "ping peer>node": "pass",
      "peer>app": "pass",
      "far>node": "pass",
      "stranger>node": "drop",
      "stranger>app": "drop",
    }, [4]);
  });

  test("S30: nodes get in by a selector for their endpoints, if these have expectedIPs", async () => {
    await enforce(ENDPOINT, endpointOfPeer(ENDPOINT), SELECTOR);
    await expectOutcomes(lab, {
      "peer>node": "pass",
      "ping peer>node": "pass",
      "peer>app": "pass",
      "far>node": "pass",
      "stranger>node": "drop",
      "stranger>app": "drop",
    }, [4]);
    await enforce(ENDPOINT_WITHOUT_ADDRESS, endpointOfPeer(ENDPOINT_WITHOUT_ADDRESS), SELECTOR);
    await expectOutcomes(lab, { "peer>node": "drop", "peer>app": "drop", "far>node": "pass" }, [4]);
  });

  test("S30: the last version, with loopback, lets in the same", async () => {
    await enforce(ENDPOINT, endpointOfPeer(ENDPOINT), LOOPBACK);
    await expectOutcomes(lab, { "peer>node": "pass", "far>app": "pass", "stranger>app": "drop" }, [4]);
  });
});

describe("S31: what the node sends", () => {
  test("S31: nothing but failsafe ports without the policy, everything with it", async () => {
    await enforce(ENDPOINT, LOOPBACK);
    await expectOutcomes(lab, { "node>stranger": "drop", "ping node>stranger": "drop", "node>stranger:2379": "pass" });
    await enforce(ENDPOINT, LOOPBACK, OUTBOUND);
    await expectOutcomes(lab, {
      "node>stranger": "pass",
      "node>stranger:22": "pass",
      "udp node>stranger:9091": "pass",
      "ping node>stranger": "pass",
      "stranger>node": "drop",
    });
  });

  test("S31: by itself it opens nothing that comes in", async () => {
    await enforce(ENDPOINT, OUTBOUND);
    await expectOutcomes(lab, { "node>stranger": "pass", "stranger>node": "drop", "stranger>app": "pass" });
  });
});

describe("S32: the cluster's two addresses", () => {
  const firewall = [ENDPOINT, LOOPBACK, OUTBOUND];

  test("S32: closed by S30 alone, open on their own ports with S32, which comes before", async () => {
    await enforce();
    await expectOutcomes(lab, { "stranger>ingress:80": "pass", "stranger>api:7443": "pass" }, [4]);
    await enforce(...firewall);
    await expectOutcomes(lab, { "stranger>ingress:80": "drop", "stranger>api:7443": "drop" }, [4]);
    await enforce(...firewall, ALLOW_RULES);
    await expectOutcomes(lab, {
      "stranger>ingress:80": "pass",
      "stranger>ingress:443": "pass",
      "stranger>api:7443": "pass",
      "stranger>ingress:9091": "drop",
      "stranger>api:443": "drop",
    }, [4]);
    await expectOutcomes(lab, { "stranger>ingress:80": "drop", "stranger>api:7443": "drop" }, [6]);
  });

  test("S32: the addresses are those before DNAT: behind them nothing is open", async () => {
    await enforce(...firewall, ALLOW_RULES);
    await expectOutcomes(lab, {
      "stranger>app:80": "drop",
      "stranger>app:443": "drop",
      "stranger>node:7443": "drop",
      "stranger>node:80": "drop",
      "stranger>node": "drop",
      [`stranger>node:${NODE_PORT}`]: "drop",
    }, [4]);
  });

  test("S32: it is the order that puts it before S30", async () => {
    await enforce(...firewall, adapted(ALLOW_RULES, "order: 10", "order: 30"));
    await expectOutcomes(lab, { "stranger>ingress:80": "drop", "stranger>api:7443": "drop" }, [4]);
  });
});

test("S30: loopback is open by its rule, where the endpoint is that of every interface", async () => {
  const everywhere = adapted(ENDPOINT, "interfaceName: ens160", 'interfaceName: "*"');
  const { rampart } = lab.file;
  // Not waited for as elsewhere: the daemon's metrics are read over loopback.
  const put = (rules: string): void => rampart.writePolicy("policy.yaml", everywhere + OUTBOUND + rules);
  const connect = (address: string) => tcpConnect(lab.node, address, OPEN, { timeoutMs: 300 });
  const within = { timeout: 15_000, interval: 20 };
  try {
    put(SELECTOR);
    await expect.poll(() => connect("127.0.0.1"), within).toBe("timeout");
    put(LOOPBACK);
    await expect.poll(() => connect("127.0.0.1"), within).toBe("connected");
    expect(await connect("::1")).toBe("timeout");
  } finally {
    rampart.writePolicy("policy.yaml", lab.inventory());
    await expect.poll(() => connect("::1"), within).toBe("connected");
  }
});

test("S29 to S32: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
