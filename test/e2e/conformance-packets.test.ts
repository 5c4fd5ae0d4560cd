/**
 * Cases of the conformance suites on real packets: nine pods on one node (and
 * those that some cases add), one daemon, one policy file that is replaced
 * between cases. The suites have IPv4 addresses only; where a case names no
 * address block, half of its probes go over IPv6, of which it says the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRampart } from "../../src/sandbox/daemon.ts";
import type { RampartProcess } from "../../src/sandbox/daemon.ts";
import { tcpConnect, udpEcho } from "../../src/sandbox/probe.ts";
import { inventory } from "../conformance/decode.ts";
import type { Probe, Step, Topology } from "../conformance/decode.ts";
import { allCases, allTags, chooseCases, sampleProbes } from "./support/case-choice.ts";
import { noOffload } from "./support/offload.ts";
import { PodLab } from "./support/pod-lab.ts";
import { SctpPeer } from "./support/sctp.ts";

/** Without offload a third of them: the verdicts are the same ones. */
const CASES = noOffload ? 16 : 48;
const PROBES_A_STEP = 20;
const PATIENCE_MS = 3000;
const SILENCE_MS = 250;
const PORTS = [80, 81];

const all = allCases();
const chosen = chooseCases(all, CASES);
const podsOf = (step: Step): Topology["pods"] => step.topology.pods;
const everyPod = new Map(chosen.flatMap(({ steps }) => steps.flatMap(podsOf)).map((pod) => [podId(pod), pod]));

let lab: PodLab;
let rampart: RampartProcess;
const sctp = new Map<string, SctpPeer>();

beforeAll(async () => {
  const pods = [...everyPod.values()].map(({ ip, ...rest }) => ({ ...rest, ipv4: ip, ipv6: ipv6Of(ip) }));
  lab = await PodLab.create({ pods, tcpPorts: PORTS, udpPorts: PORTS });
  for (const [id, { host }] of lab.pods) sctp.set(id, await SctpPeer.start(host, PORTS));
  rampart = await startRampart(lab.node, { policies: { "case.yaml": documents({ ...firstStep(), policies: [] }, 0) } });
});
afterAll(async () => {
  await rampart?.stop();
  await lab?.destroy();
});

function firstStep(): Step {
  return (chosen[0]?.steps[0] ?? all[0]?.steps[0]) as Step;
}

function podId({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function ipv6Of(ipv4: string): string {
  return `fd44::${ipv4.split(".").slice(1).join(":")}`;
}

/** The step's files in one. A step may have the policies of the one before it: the number makes it a change. */
function documents({ topology, policies }: Step, number: number): string {
  const pods = topology.pods.map((pod) => ({ ...pod, ipv6: ipv6Of(pod.ip) }));
  const marker = {
    apiVersion: "projectcalico.org/v3",
    kind: "GlobalNetworkSet",
    metadata: { name: "step", labels: { step: String(number) } },
    spec: { nets: ["192.0.2.1/32"] },
  };
  const list = [...inventory({ ...topology, pods }), marker, ...policies];
  return list.map((document) => JSON.stringify(document)).join("\n---\n");
}

/** Probes of the step as they go over the wire, every second one over IPv6 if nothing in the step is about IPv4. */
function wireProbes(step: Step, offset: number): Probe[] {
  const dual = !JSON.stringify(step.policies).includes("ipBlock");
  return sampleProbes(step, PROBES_A_STEP, offset).map((probe, index) => {
    return dual && index % 2 === 1 ? { ...probe, family: 6 } : probe;
  });
}

async function passes(probe: Probe): Promise<string> {
  const { from, to, protocol, port: wanted, family, expect: expected } = probe;
  const target = everyPod.get(to);
  if (target === undefined) throw new Error(`the case asks for ${to}, which has no pod`);
  const address = family === 4 ? target.ip : ipv6Of(target.ip);
  const named = target.ports.find((each) => each.name === wanted && each.protocol === protocol);
  const port = Number(named?.port ?? wanted);
  const timeoutMs = expected === "allow" ? PATIENCE_MS : SILENCE_MS;
  switch (protocol) {
    case "TCP":
      return tcpConnect(lab.pod(from), address, port, { timeoutMs });
    case "UDP":
      return udpEcho(lab.pod(from), address, port, { timeoutMs });
    case "SCTP":
      return (await sctp.get(from)?.init(address, port, timeoutMs)) ?? "timeout";
    default:
      throw new Error(`no probe for ${protocol}`);
  }
}

const GOT: Readonly<Record<string, "allow" | "deny">> = { connected: "allow", answered: "allow", timeout: "deny" };

/** Each probe that came out otherwise than the suite says, in words. */
async function disagreements(step: Step, probes: readonly Probe[]): Promise<string[]> {
  const words = await Promise.all(
    probes.map(async (probe) => {
      const { from, to, protocol, port, family, expect: expected } = probe;
      const outcome = await passes(probe);
      if (GOT[outcome] === expected) return [];
      return [`${step.id}: ${from} -> ${to} ${protocol}/${port} IPv${family}: expected ${expected}, got ${outcome}`];
    }),
  );
  return words.flat();
}

let steps = 0;

async function apply(step: Step): Promise<void> {
  const text = documents(step, ++steps);
  await rampart.changePolicy(() => rampart.writePolicy("case.yaml", text));
}

test("with no policy in force, what the cases deny is answered too: silence is the policy's doing", async () => {
  const step = firstStep();
  const probes = all.slice(0, 3).flatMap((each, index) => wireProbes(each.steps[0] as Step, index));
  expect(await disagreements(step, probes.map((probe) => ({ ...probe, expect: "allow" })))).toEqual([]);
});

test.skipIf(noOffload)("the chosen cases are at least forty and have every tag", () => {
  expect(chosen.length).toBeGreaterThanOrEqual(40);
  expect(allTags(chosen)).toEqual(allTags(all));
  const probes = chosen.flatMap((each, index) => each.steps.flatMap((step) => wireProbes(step, index)));
  const kinds = new Set(probes.map((probe) => `${probe.protocol} IPv${probe.family} ${probe.expect}`));
  expect(kinds.size).toBe(12);
});

describe("each probe comes out as the suite says", () => {
  test.each(
    chosen.map((each, index) => [`${each.id}: ${each.description}`, each, index] as const),
  )("%s", async (_title, { steps: inOrder }, index) => {
    for (const step of inOrder) {
      await apply(step);
      expect(await disagreements(step, wireProbes(step, index * 7))).toEqual([]);
    }
  });
});
