/**
 * The story of the quickstart, chapter by chapter. Each chapter leaves the
 * daemon enforcing, or says so.
 */
import type { RampartProcess } from "../sandbox/daemon.ts";
import { openTcp, startTransfer } from "../sandbox/probe.ts";
import type { Family, Lab } from "./lab.ts";
import { FAMILIES } from "./lab.ts";
import type { Probe } from "./probes.ts";
import { FAILSAFE, tryProbe } from "./probes.ts";
import type { Report } from "./report.ts";
import { Verdicts } from "./verdicts.ts";

export interface Stage {
  readonly lab: Lab;
  readonly rampart: RampartProcess;
  readonly report: Report;
}

const END_OF_TIER = "denied at the end of tier default";
const WEB_RULE = "allowed by web ingress[0]";
const NOBODY_TO_ASK = "queued, and nobody answers";
const DOWNLOAD = "visitor's download";
const FROM_VISITOR = { from: "visitor", to: "node", kind: "TCP" } as const;
const RELOAD_MS = 5000;
const TRANSFER = { bytes: 1_500_000, chunk: 10_000, intervalMs: 20 };

export async function policiesAtWork({ lab, rampart, report }: Stage): Promise<void> {
  report.chapter(
    "1. The policies at work",
    "config/quickstart protects node1: a new connection gets in only by a rule.",
  );
  const ping: Probe["decidedBy"] = { IPv4: "allowed by ping ingress[0]", IPv6: "allowed by ping ingress[1]" };
  const blocked = "denied by blocklist ingress[0]";
  const probes: Probe[] = [
    { from: "office", to: "node", kind: "ping", passes: true, decidedBy: ping },
    { from: "office", to: "node", kind: "TCP", port: 80, passes: true, decidedBy: WEB_RULE },
    { from: "office", to: "node", kind: "TCP", port: 8080, passes: true, decidedBy: "allowed by admin ingress[0]" },
    { from: "office", to: "node", kind: "UDP", port: 8125, passes: true, decidedBy: "allowed by admin ingress[1]" },
    { from: "office", to: "node", kind: "TCP", port: 5432, passes: false, decidedBy: END_OF_TIER },
    { from: "visitor", to: "node", kind: "TCP", port: 80, passes: true, decidedBy: WEB_RULE },
    { from: "visitor", to: "node", kind: "TCP", port: 8080, passes: false, decidedBy: END_OF_TIER },
    { from: "visitor", to: "node", kind: "UDP", port: 8125, passes: false, decidedBy: END_OF_TIER },
    { from: "attacker", to: "node", kind: "ping", passes: false, decidedBy: blocked },
    { from: "attacker", to: "node", kind: "TCP", port: 80, passes: false, decidedBy: blocked },
    { from: "attacker", to: "node", kind: "TCP", port: 22, passes: true, decidedBy: FAILSAFE },
    { from: "node", to: "office", kind: "UDP", port: 123, passes: true, decidedBy: "allowed by egress egress[0]" },
    { from: "node", to: "office", kind: "TCP", port: 443, passes: true, decidedBy: "allowed by egress egress[1]" },
    { from: "node", to: "office", kind: "UDP", port: 53, passes: true, decidedBy: FAILSAFE },
    { from: "node", to: "attacker", kind: "TCP", port: 4444, passes: false, decidedBy: END_OF_TIER },
  ];
  const verdicts = new Verdicts(rampart);
  for (const probe of probes) await tryProbe(lab, report, verdicts, probe);
}

export async function liveChange({ lab, rampart, report }: Stage): Promise<void> {
  report.chapter(
    "2. A live change",
    "40-web.yaml is rewritten while a connection is open: TCP 80 closes, 443 and 8443 open.",
  );
  const open = await Promise.all(
    FAMILIES.map(async (family) => ({ family, talk: await openTcp(lab.visitor.host, lab.node.address[family], 80) })),
  );
  for (const { family, talk } of open) {
    const heard = await talk.exchange("before the change");
    expectation(report, "visitor's open TCP 80", family, "alive", heard.outcome === "line" ? "alive" : heard.outcome);
  }
  await rampart.changePolicy(() => rampart.writePolicy("40-web.yaml", WEB_AFTER));
  const heard = await Promise.all(open.map(({ talk }) => talk.exchange("after the change", 800)));
  for (const [index, { family }] of open.entries()) {
    const outcome = heard[index].outcome === "line" ? "alive" : "cut";
    expectation(report, "visitor's open TCP 80", family, "cut", outcome, "judged again under the new policy");
  }
  const verdicts = new Verdicts(rampart);
  await tryProbe(lab, report, verdicts, { ...FROM_VISITOR, port: 80, passes: false, decidedBy: END_OF_TIER });
  await tryProbe(lab, report, verdicts, { ...FROM_VISITOR, port: 443, passes: true, decidedBy: WEB_RULE });
}

export async function mistake({ lab, rampart, report }: Stage): Promise<void> {
  report.chapter(
    "3. A mistake",
    "A policy with port 70000 is saved. It is refused, and what was in force stays in force.",
  );
  const generation = await rampart.generation();
  rampart.writePolicy("90-mistake.yaml", MISTAKE);
  for (const error of await reloadOutcome(rampart, false)) report.note(error);
  expectation(report, "policy generation", "", String(generation), String(await rampart.generation()));
  const verdicts = new Verdicts(rampart);
  await tryProbe(lab, report, verdicts, { ...FROM_VISITOR, port: 443, passes: true, decidedBy: WEB_RULE });
  rampart.removePolicy("90-mistake.yaml");
  await reloadOutcome(rampart, true);
}

/** Wait until the last reload went well, or badly; resolves to its errors. */
async function reloadOutcome(rampart: RampartProcess, ok: boolean): Promise<readonly string[]> {
  const deadline = Date.now() + RELOAD_MS;
  for (;;) {
    const { lastReload } = (await rampart.status()) as { lastReload?: { ok: boolean; errors: readonly string[] } };
    if (lastReload?.ok === ok) return lastReload.errors;
    if (Date.now() > deadline) throw new Error(`the daemon did not report a ${ok ? "good" : "failed"} reload`);
  }
}

export async function killed({ lab, rampart, report }: Stage): Promise<void> {
  report.chapter(
    "4. The daemon is killed",
    "SIGKILL during a download: what is known lives on in the kernel, nothing new gets in.",
  );
  const transfer = await startTransfer(lab.node.host, lab.visitor.host, lab.node.address.IPv6, 8443, TRANSFER);
  const before = await transfer.received(TRANSFER.bytes / 10);
  await rampart.kill();
  report.note(`rampart is gone after ${before.received} of ${TRANSFER.bytes} bytes`);
  await tryProbe(lab, report, undefined, { ...FROM_VISITOR, port: 22, passes: true, decidedBy: FAILSAFE });
  await tryProbe(lab, report, undefined, { ...FROM_VISITOR, port: 443, passes: false, decidedBy: NOBODY_TO_ASK });
  const during = await transfer.received(before.received + TRANSFER.chunk);
  const going = during.state === "failed" ? "failed" : "goes on";
  expectation(report, DOWNLOAD, "IPv6", "goes on", going, "fast path, in the kernel");

  await rampart.start();
  report.note("rampart is started again");
  const verdicts = new Verdicts(rampart);
  await tryProbe(lab, report, verdicts, { ...FROM_VISITOR, port: 443, passes: true, decidedBy: WEB_RULE });
  const end = await transfer.finished();
  const whole = end.sha256 === transfer.sha256 ? "complete" : "damaged";
  expectation(report, DOWNLOAD, "IPv6", "complete", whole, `${end.received} bytes, checksum compared`);
}

function expectation(
  report: Report,
  what: string,
  family: Family | "",
  expected: string,
  happened: string,
  decidedBy = "",
): void {
  report.finding({ what, family, expected, happened, decidedBy, held: happened === expected });
}

const WEB_AFTER = `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: web
spec:
  order: 100
  selector: role == 'web'
  types: [Ingress]
  ingress:
    - action: Allow
      protocol: TCP
      destination:
        ports: [443, 8443]
`;

const MISTAKE = `
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata:
  name: mistake
spec:
  selector: role == 'web'
  ingress:
    - action: Allow
      protocol: TCP
      destination:
        ports: [70000]
`;
