/** The second article (seed 001), S18 to S20: the same policy in Kubernetes' and in Calico's words. */
import { afterAll, beforeAll, test } from "vitest";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

const NODE = { name: "node-1", interfaceName: "eth0", ipv4: "10.70.0.1", ipv6: "fd70::1" };
const MACHINES = { ext: { ipv4: "10.70.0.2", ipv6: "fd70::2" } };
const NODEJS = { service: "nodejs" };
const PODS = {
  redis: { namespace: "default", name: "redis", ipv4: "10.65.0.1", ipv6: "fd65::1", labels: { service: "redis" } },
  nodejs: { namespace: "default", name: "nodejs", ipv4: "10.65.0.2", ipv6: "fd65::2", labels: NODEJS },
  php: { namespace: "default", name: "php", ipv4: "10.65.0.3", ipv6: "fd65::3", labels: { service: "php" } },
  // Of another namespace, and with the label that the policies for redis ask for.
  prometheus: { namespace: "kube-prometheus", name: "prometheus", ipv4: "10.65.0.4", ipv6: "fd65::4", labels: NODEJS },
  other: { namespace: "other", name: "other", ipv4: "10.65.0.5", ipv6: "fd65::5", labels: NODEJS },
};
const PROMETHEUS = seed("001", "Namespace kube-prometheus");

let lab: SeedLab;

beforeAll(async () => {
  const ports = { tcpPorts: [80, 6379, 9100], udpPorts: [6379] };
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, ...ports });
});
afterAll(() => lab?.destroy());

async function enforce(policy: string): Promise<void> {
  await lab.enforce(PROMETHEUS, lab.inventory({ withoutNamespaces: ["kube-prometheus"] }), policy);
}

test.each([
  ["S18: Kubernetes", "KubernetesNetworkPolicy"],
  ["S19: Calico", "NetworkPolicy"],
])("%s: nodejs reaches redis, php does not, nor does a nodejs of another namespace", async (_row, kind) => {
  await enforce(seed("001", `${kind} default/allow-redis-nodejs`));
  await expectOutcomes(lab, {
    "nodejs>redis:6379": "pass",
    "php>redis:6379": "drop",
    "other>redis:6379": "drop",
    "ext>redis:6379": "drop",
    "nodejs>redis:80": "drop",
    "udp nodejs>redis:6379": "drop",
    "ping nodejs>redis": "drop",
    "php>nodejs": "pass",
    "ext>php": "pass",
    "redis>php": "pass",
    "redis>ext": "pass",
  });
});

test.each([
  ["Kubernetes, podSelector {}", "KubernetesNetworkPolicy"],
  ["Calico, no selector", "NetworkPolicy"],
])("S20: %s: the metrics of every pod are open to the labelled namespace only", async (_language, kind) => {
  await enforce(seed("001", `${kind} default/allow-metrics-prom`));
  await expectOutcomes(lab, {
    "prometheus>redis:9100": "pass",
    "prometheus>php:9100": "pass",
    "prometheus>php:80": "drop",
    "ping prometheus>php": "drop",
    "nodejs>redis:9100": "drop",
    "other>redis:9100": "drop",
    "ext>php:9100": "drop",
    "php>ext": "pass",
    // Other namespaces are not selected.
    "nodejs>prometheus:80": "pass",
    "ext>other:9100": "pass",
  });
});

test("S18 to S20: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
