/** The fifth article (seed 004), S35: who may land on the death star, by a Kubernetes policy. */
import { afterAll, beforeAll, test } from "vitest";
import { running, seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

const NODE = { name: "k3s", interfaceName: "eth0", ipv4: "10.70.0.1", ipv6: "fd70::1" };
const MACHINES = { ext: { ipv4: "10.70.0.2", ipv6: "fd70::2" } };
const DEATH_STAR = { org: "empire", class: "deathstar" };
/** The two replicas stand for the article's Deployment; the ships are its own pods. */
const PODS = {
  first: { namespace: "default", name: "deathstar-1", ipv4: "10.42.0.1", ipv6: "fd42::1", labels: DEATH_STAR },
  second: { namespace: "default", name: "deathstar-2", ipv4: "10.42.0.2", ipv6: "fd42::2", labels: DEATH_STAR },
  tiefighter: { namespace: "default", name: "tiefighter", ipv4: "10.42.0.3", ipv6: "fd42::3" },
  xwing: { namespace: "default", name: "xwing", ipv4: "10.42.0.4", ipv6: "fd42::4" },
  // Not of the policy's namespace.
  deserter: { namespace: "rebels", name: "deserter", ipv4: "10.42.0.5", ipv6: "fd42::5", labels: { org: "empire" } },
};
/** Of the article's service. */
const SERVICES = { deathstar: { ipv4: "10.43.0.1", ipv6: "fd43::1" } };
const SHIPS = ["tiefighter", "xwing"] as const;
const STAR_WARS = [
  seed("004", "Service default/deathstar"),
  ...SHIPS.map((ship) => running(seed("004", `Pod default/${ship}`), NODE.name, [PODS[ship].ipv4, PODS[ship].ipv6])),
];
const POLICY = seed("004", "KubernetesNetworkPolicy default/policy");

let lab: SeedLab;

beforeAll(async () => {
  const places = { node: NODE, pods: PODS, machines: MACHINES, services: SERVICES };
  lab = await SeedLab.create({ ...places, tcpPorts: [80, 81], udpPorts: [80] });
  await lab.dnat("deathstar", 80, "first", 80);
});
afterAll(() => lab?.destroy());

test("S35: before the policy both ships land", async () => {
  await lab.enforce(lab.inventory({ withoutPods: SHIPS }), ...STAR_WARS);
  await expectOutcomes(lab, { "tiefighter>first": "pass", "xwing>first": "pass", "xwing>second": "pass" });
});

test("S35: the tiefighter lands on either replica, the xwing hangs", async () => {
  await lab.enforce(lab.inventory({ withoutPods: SHIPS }), ...STAR_WARS, POLICY);
  await expectOutcomes(lab, {
    "tiefighter>first": "pass",
    "tiefighter>second": "pass",
    "tiefighter>deathstar": "pass",
    "first>second": "pass",
    "xwing>first": "drop",
    "xwing>second": "drop",
    "xwing>deathstar": "drop",
    "deserter>first": "drop",
    "ext>second": "drop",
    "tiefighter>first:81": "drop",
    "udp tiefighter>first:80": "drop",
    "ping tiefighter>first": "drop",
    "first>xwing": "pass",
    "xwing>tiefighter": "pass",
    "first>ext": "pass",
  });
});

test("S35: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
