/** `rampart status`: what the running daemon enforces, on one page. */
import type { Command } from "commander";
import { loadSettings } from "../config/settings.ts";
import { controlRequest } from "../control/client.ts";
import { type DaemonStatus, parseDaemonStatus } from "../control/status.ts";

interface StatusOptions {
  readonly json?: boolean;
  readonly config?: string;
  readonly socket?: string;
}

export function registerStatus(program: Command): void {
  program
    .command("status")
    .description("show what the running daemon enforces")
    .option("--json", "as JSON, all that the daemon tells")
    .option("-c, --config <file>", "settings file, for the control socket's path")
    .option("--socket <path>", "the daemon's control socket")
    .action(async (options: StatusOptions) => {
      const socket = options.socket ?? loadSettings(options.config).settings.control.socket;
      const status = await controlRequest(socket, "status");
      const text = options.json === true ? JSON.stringify(status, undefined, 2) : statusPage(parseDaemonStatus(status));
      process.stdout.write(`${text}\n`);
    });
}

/** The page, without a final newline. */
function statusPage(status: DaemonStatus): string {
  const { packets, hooks } = status;
  const families = hooks.families.length === 0 ? "none" : hooks.families.join(" and ");
  const hooksState = hooks.problems.length === 0 ? "in place" : "NOT as they should be";
  const sections: [name: string, lines: string[]][] = [
    ["policy", [...trialLines(status), ...fallbackLines(status), policyLine(status), ...reloadLines(status)]],
    ["staged", stagedLines(status)],
    ["endpoints", endpointLines(status)],
    ["hooks", [`iptables-${hooks.variant}, ${families}: ${hooksState}`, ...hooks.problems]],
    ["queues", status.queues.map(queueLine)],
    ["packets", [`${packets.accepted} accepted, ${packets.dropped} dropped, ${packets.rejected} rejected`]],
    ["flows", [`${status.flows} held in userspace`]],
    ["overload", [status.failOpen ? "OPEN: packets pass unjudged (failOpen)" : "closed: packets are dropped"]],
    ["warnings", status.warnings],
  ];
  const state = status.inForce?.source === "open" && status.state === "enforcing" ? "NOT enforcing" : status.state;
  const head = `rampart ${status.version} on ${status.node}: ${state} for ${duration(status.uptimeSeconds)}`;
  return [`${head}, pid ${status.pid}`, ...sections.flatMap(([name, lines]) => section(name, lines))].join("\n");
}

function section(name: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `  ${(i === 0 ? name : "").padEnd(10)} ${line}`);
}

function policyLine({ policies, generation }: DaemonStatus): string {
  return `${policies} policies, generation ${generation}`;
}

function reloadLines(status: DaemonStatus): string[] {
  const { at, ok, durationMs, errors } = status.lastReload;
  if (ok) return [`last reload ${at}, ok in ${Math.round(durationMs)} ms`];
  const stays = fallbackLines(status).length > 0 ? "what is said above stays" : "the policy before it stays";
  return [`last reload ${at} FAILED, ${stays} in force:`, ...errors];
}

/** Nothing where the policy files are in force. */
function fallbackLines({ inForce }: DaemonStatus): string[] {
  switch (inForce?.source) {
    case "last-good":
      return [`DEGRADED: the LAST GOOD SET is in force, written ${inForce.savedAt ?? "at an unknown time"}`];
    case "closed":
      return ["DEGRADED: CLOSED, only failsafe ports are open; there is no last good set"];
    case "open":
      return ["DEGRADED: OPEN, nothing is protected; there is no last good set, and startup is open"];
    default:
      return [];
  }
}

function trialLines({ confirmation }: DaemonStatus): string[] {
  if (confirmation === undefined) return [];
  return [`ON TRIAL: rolled back in ${confirmation.secondsLeft} s unless \`rampart confirm\` comes before`];
}

function stagedLines({ staged }: DaemonStatus): string[] {
  if (staged === undefined || staged.policies + staged.wouldDeny + staged.wouldAllow === 0) return [];
  const { policies, wouldDeny, wouldAllow } = staged;
  const would = `would have denied ${wouldDeny} new connections that passed, and passed ${wouldAllow} that were denied`;
  return [`${policies} policies, not enforced; ${would}`];
}

function endpointLines({ endpoints }: DaemonStatus): string[] {
  if (endpoints.length === 0) return ["NONE on this host: nothing is protected"];
  return endpoints.map(({ name, interfaces }) => {
    return `${name}: ${interfaces.length === 0 ? "no interface at present" : interfaces.join(", ")}`;
  });
}

function queueLine(counts: DaemonStatus["queues"][number]): string {
  const { queue, packets, pending, kernelDropped, userDropped, enobufs } = counts;
  const kernel = `${pending ?? "?"} waiting, dropped by the kernel ${kernelDropped ?? "?"} (queue full)`;
  return `${queue}: ${packets} read, ${kernel} and ${userDropped ?? "?"} (buffer full), ${enobufs} buffer overflows`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
