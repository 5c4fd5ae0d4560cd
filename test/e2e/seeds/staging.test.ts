/** The second article (seed 001), S27 and S28: one way between two pods, and a service in three layers. */
import { afterAll, beforeAll, test } from "vitest";
import { running, seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";
import type { SeedPod } from "../support/seed-lab.ts";

const NODE = { name: "minikube", interfaceName: "eth0", ipv4: "10.70.0.1", ipv6: "fd70::1" };
const MACHINES = { ext: { ipv4: "10.70.0.2", ipv6: "fd70::2" } };
const pod = (home: string, name: string, number: number): SeedPod => ({
  namespace: home,
  name,
  ipv4: `10.1.235.${number}`,
  ipv6: `fd65::${number}`,
});
/** The first two have the labels that the article gives them later. */
const PODS = {
  busybox1: { ...pod("default", "busybox1", 88), labels: { test: "in" } },
  busybox2: { ...pod("default", "busybox2", 89), labels: { test: "out" } },
  frontend: pod("staging", "frontend", 1),
  backend: pod("staging", "backend", 2),
  db: pod("staging", "db", 3),
  curl: pod("staging", "curl", 4),
  admin: pod("admin", "curl", 5),
};

const ROLES = ["frontend", "backend", "db"] as const;
/** Of the article's service for the backend. */
const SERVICES = { service: { ipv4: "10.96.0.1", ipv6: "fd96::1" } };
/** The article's own pods and services of its staging namespace, and its namespace admin. */
const STAGING = ROLES.flatMap((role) => [
  running(seed("001", `Pod staging/${role}`), NODE.name, [PODS[role].ipv4, PODS[role].ipv6]),
  seed("001", `Service staging/${role}`),
]);
const ADMIN = seed("001", "Namespace admin");
const LAYERS = ROLES.map((role) => seed("001", `KubernetesNetworkPolicy staging/staging.${role}`));
const DENY_ALL = seed("001", "KubernetesNetworkPolicy default/deny-all", 3);
const OUT_TO_IN = seed("001", "KubernetesNetworkPolicy default/allow-out-to-in");

let lab: SeedLab;

beforeAll(async () => {
  const places = { node: NODE, pods: PODS, machines: MACHINES, services: SERVICES };
  lab = await SeedLab.create({ ...places, tcpPorts: [80, 5432], udpPorts: [80] });
  await lab.dnat("service", 80, "backend", 80);
});
afterAll(() => lab?.destroy());

function enforce(...documents: readonly string[]): Promise<void> {
  const others = lab.inventory({ withoutNamespaces: ["admin"], withoutPods: ROLES });
  return lab.enforce(ADMIN, ...STAGING, others, ...documents);
}

test("S27: out may ping in and not the other way round, also after everything was denied", async () => {
  await enforce(DENY_ALL);
  await expectOutcomes(lab, { "ping busybox2>busybox1": "drop", "ping busybox1>busybox2": "drop" });
  for (const others of [[], [DENY_ALL]]) {
    await enforce(OUT_TO_IN, ...others);
    await expectOutcomes(lab, {
      "ping busybox2>busybox1": "pass",
      "busybox2>busybox1": "pass",
      "ping busybox1>busybox2": "drop",
      "busybox1>busybox2": "drop",
      "udp busybox1>busybox2:80": "drop",
    });
  }
});

test("S27: it takes both ends: the one must send to in, the other hear from out, in the same namespace", async () => {
  await enforce(OUT_TO_IN);
  await expectOutcomes(lab, {
    "busybox2>ext": "drop",
    "ext>busybox1": "drop",
    "busybox2>frontend": "drop",
    "curl>busybox1": "drop",
    "ping busybox2>curl": "drop",
    "curl>frontend": "pass",
  });
});

test("S28: in staging the frontend is for every pod, the backend for the frontend, db for the backend", async () => {
  await enforce(...LAYERS);
  await expectOutcomes(lab, {
    "curl>frontend": "pass",
    "db>frontend": "pass",
    "curl>backend": "drop",
    "curl>service": "drop",
    "db>backend": "drop",
    "frontend>backend": "pass",
    "backend>db:5432": "pass",
    "frontend>db:5432": "drop",
    "curl>db:5432": "drop",
    // A port each, and TCP only.
    "curl>frontend:5432": "drop",
    "frontend>backend:5432": "drop",
    "backend>db": "drop",
    "udp frontend>backend:80": "drop",
    "ping curl>frontend": "drop",
  });
});

test("S28: the namespace admin reaches all three layers, others none; what staging sends is free", async () => {
  await enforce(...LAYERS);
  await expectOutcomes(lab, {
    "admin>frontend": "pass",
    "admin>backend": "pass",
    "admin>service": "pass",
    "admin>db:5432": "pass",
    "admin>db": "drop",
    "ping admin>backend": "drop",
    "busybox1>frontend": "drop",
    "busybox1>backend": "drop",
    "ext>frontend": "drop",
    "ext>db:5432": "drop",
    "db>ext": "pass",
    "frontend>admin": "pass",
    "ext>curl": "pass",
  });
});

test("S27, S28: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
