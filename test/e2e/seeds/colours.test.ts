/** The fourth article (seed 003), S33 and S34: match expressions both ways, and an ingress controller. */
import { afterAll, beforeAll, test } from "vitest";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";
import type { SeedPod } from "../support/seed-lab.ts";

const NODE = { name: "k8s-node1", interfaceName: "eth0", ipv4: "192.168.110.243", ipv6: "fd70::1" };
const MACHINES = { ext: { ipv4: "192.168.110.9", ipv6: "fd70::9" } };
const CONTROLLER = { app: "nginx-ingress", component: "controller" };
const pod = (home: string, name: string, ipv4: string, number: number): SeedPod => ({
  namespace: home,
  name,
  ipv4,
  ipv6: `fd65::${number}`,
  labels: { app: name, environment: home },
});
/** The addresses are the article's. */
const PODS = {
  blue: pod("dev", "blue", "10.244.3.6", 1),
  green: pod("dev", "green", "10.244.5.43", 2),
  red: pod("dev", "red", "10.244.4.6", 3),
  prodblue: pod("prod", "blue", "10.244.3.7", 4),
  prodgreen: pod("prod", "green", "10.244.5.44", 5),
  controller: { ...pod("kube-system", "nginx-ingress", "10.244.3.8", 6), labels: CONTROLLER },
  // Each has one half of what S34 asks for.
  neighbour: { ...pod("kube-system", "coredns", "10.244.3.9", 7), labels: { app: "coredns" } },
  impostor: { ...pod("prod", "impostor", "10.244.3.10", 8), labels: CONTROLLER },
};
/** The label that the article's author gave to his kube-system. */
const SYSTEM = { "kube-system": { project: "kube-system" } };
/** The controller's port for what it passes on. */
const INGRESS = 8080;

const BLUE_TO_GREEN = seed("003", "KubernetesNetworkPolicy dev/allow-tcp-80-from-blue-to-green");
const FROM_CONTROLLER = seed("003", "KubernetesNetworkPolicy prod/allow-ingresscontroller-traffic");

let lab: SeedLab;

beforeAll(async () => {
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, tcpPorts: [80, 81], udpPorts: [80] });
});
afterAll(() => lab?.destroy());

test("S33: red takes port 80 from blue and gives port 80 to green, and that is all", async () => {
  await lab.enforce(lab.inventory(), BLUE_TO_GREEN);
  await expectOutcomes(lab, {
    "blue>red": "pass",
    "ping blue>red": "drop",
    "blue>red:81": "drop",
    "udp blue>red:80": "drop",
    "green>red": "drop",
    "ping green>red": "drop",
    "red>green": "pass",
    "ping red>green": "drop",
    "red>green:81": "drop",
    "red>blue": "drop",
    "ping red>blue": "drop",
    "blue>green": "pass",
    "ping green>blue": "pass",
  });
});

test("S33: the same colours in prod are neither let in nor governed", async () => {
  await lab.enforce(lab.inventory(), BLUE_TO_GREEN);
  await expectOutcomes(lab, {
    "prodblue>red": "drop",
    "red>prodgreen": "drop",
    "ext>red": "drop",
    "red>ext": "drop",
    "prodblue>prodgreen": "pass",
    "prodblue>ext": "pass",
    "ping prodblue>prodgreen": "pass",
    "node>red": "pass",
  });
});

test("S34: the pod must be a controller and of the labelled namespace", async () => {
  await lab.enforce(lab.inventory(), FROM_CONTROLLER);
  await expectOutcomes(lab, { "controller>prodgreen": "drop" });
  await lab.enforce(lab.inventory({ labels: SYSTEM }), FROM_CONTROLLER);
  await expectOutcomes(lab, {
    "controller>prodgreen": "pass",
    "controller>prodgreen:81": "drop",
    "ping controller>prodgreen": "drop",
    "neighbour>prodgreen": "drop",
    "impostor>prodgreen": "drop",
    "prodblue>prodgreen": "drop",
    "green>prodgreen": "drop",
    "ext>prodgreen": "drop",
    "ext>prodblue": "pass",
    "prodgreen>ext": "pass",
  });
});

test("S34: a client outside gets there by way of the controller, whose address the pod hears from", async () => {
  const controller = lab.host("controller");
  for (const [iptables, target, forwarding] of [
    ["iptables", `${PODS.prodgreen.ipv4}:80`, "net.ipv4.ip_forward"],
    ["ip6tables", `[${PODS.prodgreen.ipv6}]:80`, "net.ipv6.conf.all.forwarding"],
  ] as const) {
    await controller.sysctl(forwarding, 1);
    const dnat = ["-p", "tcp", "--dport", String(INGRESS), "-j", "DNAT", "--to-destination", target];
    await controller.run([iptables, "-t", "nat", "-A", "PREROUTING", ...dnat], { check: true });
    await controller.run([iptables, "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE"], { check: true });
  }
  await lab.enforce(lab.inventory({ labels: SYSTEM }), FROM_CONTROLLER);
  await expectOutcomes(lab, { [`ext>controller:${INGRESS}`]: "pass", "ext>prodgreen": "drop" });
  await lab.enforce(lab.inventory(), FROM_CONTROLLER);
  await expectOutcomes(lab, { [`ext>controller:${INGRESS}`]: "drop" });
});

test("S33, S34: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
