/** What FelixConfiguration and a pod's own state change for the pods of one node. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { FAMILIES, expectPaths } from "./support/expect-path.ts";
import type { Outcomes } from "./support/expect-path.ts";
import { icmpListener } from "./support/icmp.ts";
import { felix, namespace, pod } from "./support/pod-documents.ts";
import { NODE, PodLab } from "./support/pod-lab.ts";
import { PolicyFile } from "./support/policy-file.ts";
import { RawIpPeer } from "./support/raw-ip.ts";

const PODS = ["w0", "w1"].map((name, index) => ({
  namespace: "default",
  name,
  ipv4: `10.65.0.${index + 1}`,
  ipv6: `fd65::${index + 1}`,
}));
const [W0, W1] = PODS.map(({ ipv4, ipv6, ...rest }) => ({ ...rest, addresses: [ipv4, ipv6], node: NODE }));

let lab: PodLab;
let file: PolicyFile;

beforeAll(async () => {
  lab = await PodLab.create({ pods: PODS, tcpPorts: [4000], udpPorts: [4000, 4789, 3000] });
  file = await PolicyFile.start(lab.node);
});
afterAll(async () => {
  await file?.rampart.stop();
  await lab?.destroy();
});

function expectOutcomes(outcomes: Outcomes): Promise<void> {
  return expectPaths(lab, outcomes);
}

function enforce(...documents: readonly string[]): Promise<void> {
  return file.enforce(namespace("default"), pod(W0), pod(W1), ...documents);
}

test("row 94: FelixConfiguration may leave VXLAN to the policies, or name another port for it", async () => {
  await enforce(felix({ allowVXLANPacketsFromWorkloads: true }));
  await expectOutcomes({ "udp w0>w1:4789": "pass", "udp w0>ext:4789": "pass" });
  await enforce(felix({ vxlanPort: 3000 }));
  await expectOutcomes({ "udp w0>w1:4789": "pass", "udp w0>w1:3000": "drop", "udp w0>w1": "pass" });
});

test("row 94: IPIP is neither sent by a pod, nor kept from the policies where that is allowed", async () => {
  const [w0, w1] = [await RawIpPeer.start(lab.host("w0"), [4]), await RawIpPeer.start(lab.host("w1"), [4])];
  await enforce();
  for (const family of FAMILIES) expect(await w0.ask(lab.address("w1", family), 4, "drop")).toBe("drop");
  await enforce(felix({ allowIPIPPacketsFromWorkloads: true }));
  for (const family of FAMILIES) expect(await w1.ask(lab.address("w0", family), 4, "pass")).toBe("pass");
});

test("row 93: a WorkloadEndpoint has no admin state to write; a pod that has finished is as good as down", async () => {
  await file.enforce(namespace("default"), pod({ ...W0, phase: "Succeeded" }), pod(W1));
  await expectOutcomes({ "w0>w1": "drop", "w1>w0": "drop", "w0>ext": "drop", "ping ext>w0": "drop", "w1>ext": "pass" });
  await enforce();
  await expectOutcomes({ "w0>w1": "pass", "w1>w0": "pass", "ping ext>w0": "pass" });
});

test.each(FAMILIES)("a pod may send from prefixes it is allowed, where spoofing is not disabled (IPv%i)", async (family) => {
  const [w0, stolen] = [lab.host("w0"), family === 4 ? "10.99.0.9" : "fd99::9"];
  const annotations = { "cni.projectcalico.org/allowedSourcePrefixes": '["10.99.0.0/24", "fd99::/64"]' };
  const documents = [namespace("default"), pod({ ...W0, annotations })];
  const listener = await icmpListener(lab.ext, family === 4 ? "IPv4" : "IPv6");
  const address = [stolen + (family === 4 ? "/32" : "/128"), "dev", "eth0"];
  await w0.run(["ip", "address", "add", ...address, ...(family === 6 ? ["nodad"] : [])], { check: true });
  try {
    const from = (source: string) =>
      w0.run(["ping", "-n", "-q", "-c", "1", "-W", "0.5", "-I", source, lab.address("ext", family)]);
    await file.enforce(...documents);
    await file.rampart.waitForLog("a warning", ({ msg = "" }) => msg.includes("no workloadSourceSpoofing"));
    await from(stolen);
    await from(lab.address("w0", family));
    const own = lab.address("w0", family);
    await listener.waitForOutput(new RegExp(`type ${family === 4 ? 8 : 128} from ${own}\\n`));
    expect(listener.stdout).not.toContain(`from ${stolen}\n`);
    await file.enforce(...documents, felix({ workloadSourceSpoofing: "Any" }));
    await from(stolen);
    await listener.waitForOutput(new RegExp(`type ${family === 4 ? 8 : 128} from ${stolen}\\n`));
  } finally {
    await w0.run(["ip", "address", "del", ...address]);
    await listener.stop();
  }
});
