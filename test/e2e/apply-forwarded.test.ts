/** What `rampart diff` says of connections that this host forwards, sends itself, or translates. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApplyPlan } from "../../src/control/plan.ts";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { openTcp } from "../../src/sandbox/probe.ts";
import { namespace, networkPolicy, pod, tcp } from "./support/pod-documents.ts";
import { EXT_ADDRESS, NODE, NODE_ADDRESS, PodLab } from "./support/pod-lab.ts";

const WEB = { namespace: "default", name: "web", ipv4: "10.65.0.1", ipv6: "fd65::1" };
const PEER = { namespace: "default", name: "peer", ipv4: "10.65.0.2", ipv6: "fd65::2" };
const INVENTORY = [WEB, PEER].map(({ ipv4, ipv6, ...names }) => pod({ ...names, addresses: [ipv4, ipv6], node: NODE })).join("");

/** Pod web is served on this port, and nowhere else. */
function policies(port: number): string {
  const spec = { selector: "name == 'web'", types: ["Ingress"], ingress: [tcp("Allow", port)] };
  return namespace("default") + INVENTORY + networkPolicy("web", spec);
}

let lab: PodLab;
let rampart: RampartProcess;
let candidate: string;

beforeAll(async () => {
  lab = await PodLab.create({ pods: [WEB, PEER], tcpPorts: [4000], udpPorts: [] });
  rampart = await startRampart(lab.node, { policies: { "policy.yaml": policies(4000) } });
  candidate = mkdtempSync(join(tmpdir(), "rampart-candidate-"));
  writeFileSync(join(candidate, "policy.yaml"), policies(4001));
});
afterAll(async () => {
  if (candidate !== undefined) rmSync(candidate, { recursive: true });
  await rampart?.stop();
  await lab?.destroy();
});

test("is which of them each pod's own policy would cut, and how many nobody can tell", async () => {
  const dnat = ["-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-d", NODE_ADDRESS[4], "--dport", "5000"];
  await lab.node.run(["iptables", ...dnat, "-j", "DNAT", "--to-destination", `${WEB.ipv4}:4000`], { check: true });
  const open = [
    await openTcp(lab.ext, WEB.ipv4, 4000, { sourcePort: 21_001 }),
    await openTcp(lab.ext, WEB.ipv6, 4000, { sourcePort: 21_002 }),
    await openTcp(lab.pod("default/peer"), WEB.ipv4, 4000, { sourcePort: 21_003 }),
    await openTcp(lab.node, WEB.ipv4, 4000, { sourcePort: 21_004 }),
    await openTcp(lab.pod("default/web"), EXT_ADDRESS[4], 4000, { sourcePort: 21_005 }),
    await openTcp(lab.ext, NODE_ADDRESS[4], 5000, { sourcePort: 21_006 }),
  ];
  const { stdout } = await rampart.command(["diff", candidate, "--json"], { check: true });
  const { changes, forecast } = JSON.parse(stdout) as ApplyPlan;
  expect(changes).toMatchObject([{ change: "changed", kind: "NetworkPolicy", namespace: "default", name: "web", tier: "default" }]);
  const cut = { protocol: "tcp", destinationPort: 4000, endpoint: "default/web", by: "end of tier default" };
  expect(forecast?.listed.toSorted((a, b) => (a.sourcePort ?? 0) - (b.sourcePort ?? 0))).toEqual([
    { ...cut, source: EXT_ADDRESS[4], sourcePort: 21_001, destination: WEB.ipv4 },
    { ...cut, source: EXT_ADDRESS[6], sourcePort: 21_002, destination: WEB.ipv6 },
    { ...cut, source: PEER.ipv4, sourcePort: 21_003, destination: WEB.ipv4 },
  ]);
  expect(forecast).toMatchObject({ cut: 3, unsure: 0, translated: 1 });

  await rampart.command(["apply", candidate], { check: true });
  // The translated one is judged by its next packet.
  const outcomes = ["timeout", "timeout", "timeout", "line", "line", "timeout"];
  const heard = await Promise.all(open.map((each, i) => each.exchange("after", outcomes[i] === "line" ? 10_000 : 600)));
  expect(heard.map(({ outcome }) => outcome)).toEqual(outcomes);
  for (const each of open) await each.close();
});
