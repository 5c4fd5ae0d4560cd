/**
 * The quickstart's expectations about single connections: who tries what, how
 * it should end, and which policy and rule must be the one that decides it.
 */
import type { Host } from "../sandbox/host.ts";
import { ping, tcpConnect, udpEcho } from "../sandbox/probe.ts";
import type { Family, Lab, Member } from "./lab.ts";
import { FAMILIES } from "./lab.ts";
import type { Report } from "./report.ts";
import type { Verdicts } from "./verdicts.ts";

export interface Probe {
  readonly from: keyof Lab;
  readonly to: keyof Lab;
  readonly kind: "ping" | "TCP" | "UDP";
  readonly port?: number;
  readonly passes: boolean;
  /** The verdict for each family as `Verdicts.of` words it; FAILSAFE when the daemon must not be asked. */
  readonly decidedBy: string | Readonly<Record<Family, string>>;
}

export const FAILSAFE = "failsafe port, in the kernel";

/** Silence for this long counts as dropped; every path here answers in a few milliseconds. */
const SILENCE_MS = 500;

/** Try a probe over both families, one after the other, and report. `verdicts` is absent while no daemon runs. */
export async function tryProbe(lab: Lab, report: Report, verdicts: Verdicts | undefined, probe: Probe): Promise<void> {
  const from = lab[probe.from];
  const to = lab[probe.to];
  for (const family of FAMILIES) {
    const expectedDecision = typeof probe.decidedBy === "string" ? probe.decidedBy : probe.decidedBy[family];
    const mark = verdicts?.mark() ?? 0;
    const happened = await attempt(from.host, to, family, probe);
    const decision = await decisionOf(lab, verdicts, mark, family, probe, expectedDecision);
    const passed = happened === "connected" || happened === "answered";
    const asExpected = probe.passes ? passed : happened === "timeout";
    const outcome = probe.passes ? "an answer" : "no answer";
    report.finding({
      what: `${from.host.name} -> ${to.host.name} ${probe.kind} ${probe.port ?? ""}`.trimEnd(),
      family,
      expected: asExpected ? expectedDecision : outcome,
      happened: happened === "timeout" ? "no answer" : happened,
      decidedBy: decision,
      held: asExpected && decision === expectedDecision,
    });
  }
}

async function attempt(from: Host, to: Member, family: Family, probe: Probe): Promise<string> {
  const address = to.address[family];
  const options = { timeoutMs: SILENCE_MS };
  if (probe.port === undefined) return ping(from, address, options);
  const attemptConnection = probe.kind === "TCP" ? tcpConnect : udpEcho;
  return attemptConnection(from, address, probe.port, options);
}

async function decisionOf(
  lab: Lab,
  verdicts: Verdicts | undefined,
  mark: number,
  family: Family,
  probe: Probe,
  expected: string,
): Promise<string> {
  // Without a daemon the kernel's rules are all there is, and they log nothing.
  if (verdicts === undefined) return expected;
  const connection = {
    protocol: probe.kind === "ping" ? "icmp" : probe.kind === "TCP" ? "tcp" : "udp",
    source: lab[probe.from].address[family],
    destination: lab[probe.to].address[family],
    port: probe.port,
  } as const;
  // Nothing is expected of the daemon for a failsafe port; a line that does come is a mistake worth showing.
  if (expected === FAILSAFE) return (await verdicts.of(connection, mark, 100)) ?? FAILSAFE;
  return (await verdicts.of(connection, mark)) ?? "nobody: the daemon logged no verdict";
}
