/** The second article (seed 001), S24 to S26, from numbered listings: isolation of a namespace, and of a database. */
import { afterAll, beforeAll, test } from "vitest";
import { seed } from "../support/seed.ts";
import { expectAllOpenWithoutPolicy, expectOutcomes, SeedLab } from "../support/seed-lab.ts";

/** The machines' addresses are of the article's blocks, or just outside of them. */
const NODE = { name: "node-1", interfaceName: "eth0", ipv4: "172.18.0.1", ipv6: "fd17::1" };
const MACHINES = {
  inside: { ipv4: "172.17.2.5", ipv6: "fd17::5" },
  excepted: { ipv4: "172.17.1.5", ipv6: "fd17::6" },
  outside: { ipv4: "172.18.0.5", ipv6: "fd17::7" },
  depot: { ipv4: "10.0.0.9", ipv6: "fd17::8" },
  beyond: { ipv4: "10.0.1.9", ipv6: "fd17::9" },
};
const FRONTEND = { role: "frontend" };
const PODS = {
  db: { namespace: "default", name: "db", ipv4: "10.65.0.1", ipv6: "fd65::1", labels: { role: "db" } },
  frontend: { namespace: "default", name: "frontend", ipv4: "10.65.0.2", ipv6: "fd65::2", labels: FRONTEND },
  friend: { namespace: "friends", name: "friend", ipv4: "10.65.0.3", ipv6: "fd65::3" },
  stranger: { namespace: "strangers", name: "s", ipv4: "10.65.0.4", ipv6: "fd65::4", labels: FRONTEND },
};

const DENY_ALL = seed("001", "KubernetesNetworkPolicy default/deny-all", 3);
const ALLOW_ALL = seed("001", "KubernetesNetworkPolicy default/allow-all");
const ISOLATE = seed("001", "KubernetesNetworkPolicy default/isolate-namespace");
const DATABASE = seed("001", "KubernetesNetworkPolicy default/db-connection");

let lab: SeedLab;

beforeAll(async () => {
  const ports = { tcpPorts: [80, 3360, 3306, 8000], udpPorts: [3360, 8000] };
  lab = await SeedLab.create({ node: NODE, pods: PODS, machines: MACHINES, ...ports });
});
afterAll(() => lab?.destroy());

test("S24: mappings where lists belong allow everything, over the deny-all of the same article", async () => {
  await lab.enforce(lab.inventory(), DENY_ALL);
  await expectOutcomes(lab, { "friend>db": "drop", "db>frontend": "drop", "db>inside": "drop", "inside>db": "drop" });
  await lab.enforce(lab.inventory(), DENY_ALL, ALLOW_ALL);
  await expectOutcomes(lab, {
    "friend>db": "pass",
    "db>frontend": "pass",
    "db>inside": "pass",
    "inside>db": "pass",
    "udp db>friend:8000": "pass",
    "ping db>inside": "pass",
    "ping inside>db": "pass",
  });
});

test("S25: pods reach nobody and nobody reaches them until a namespace has the label, the own one too", async () => {
  await lab.enforce(lab.inventory(), ISOLATE);
  await expectOutcomes(lab, { "db>frontend": "drop", "friend>db": "drop", "db>friend": "drop" });
  await lab.enforce(lab.inventory({ labels: { default: { nsname: "default" } } }), ISOLATE);
  await expectOutcomes(lab, {
    "db>frontend": "pass",
    "frontend>db": "pass",
    "ping db>frontend": "pass",
    "friend>db": "drop",
    "db>friend": "drop",
    "db>inside": "drop",
    "inside>db": "drop",
    "ping inside>db": "drop",
  });
  const both = { default: { nsname: "default" }, friends: { nsname: "default" } };
  await lab.enforce(lab.inventory({ labels: both }), ISOLATE);
  await expectOutcomes(lab, { "friend>db": "pass", "db>friend": "pass", "stranger>db": "drop", "db>stranger": "drop" });
});

test("S26: any of three peers reaches the database, on one port", async () => {
  await lab.enforce(lab.inventory({ labels: { friends: { nsname: "allowedns" } } }), DATABASE);
  await expectOutcomes(lab, { "inside>db:3360": "pass", "excepted>db:3360": "drop", "outside>db:3360": "drop" }, [4]);
  await expectOutcomes(lab, { "inside>db:3360": "drop" }, [6]);
  await expectOutcomes(lab, {
    "friend>db:3360": "pass",
    "frontend>db:3360": "pass",
    // A frontend of another namespace is not meant.
    "stranger>db:3360": "drop",
    "friend>db:3306": "drop",
    "frontend>db:80": "drop",
    "inside>db:80": "drop",
    "udp frontend>db:3360": "drop",
    "ping frontend>db": "drop",
    "outside>frontend": "pass",
  });
});

test("S26: the database reaches one block of addresses, on one port", async () => {
  await lab.enforce(lab.inventory({ labels: { friends: { nsname: "allowedns" } } }), DATABASE);
  await expectOutcomes(lab, { "db>depot:8000": "pass" }, [4]);
  await expectOutcomes(lab, { "db>depot:8000": "drop" }, [6]);
  await expectOutcomes(lab, {
    "db>depot:80": "drop",
    "udp db>depot:8000": "drop",
    "ping db>depot": "drop",
    "db>beyond:8000": "drop",
    "db>friend:8000": "drop",
    "db>frontend:8000": "drop",
    "frontend>depot:80": "pass",
  });
});

test("S24 to S26: without a policy all of these paths are open", async () => {
  await expectAllOpenWithoutPolicy(lab);
});
