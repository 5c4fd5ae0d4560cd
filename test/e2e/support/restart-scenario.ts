/**
 * A daemon that is restarted again and again while connections storm in, one
 * connection goes on, and others try what the policy denies; and the count of
 * what became of it. The short form (restart.test.ts) and the long one
 * (soak/restart.soak.ts) differ in how often.
 */
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { RampartOptions, RampartProcess } from "../../../src/sandbox/daemon.ts";
import type { Host } from "../../../src/sandbox/host.ts";
import { allowPorts, ETH0 } from "./documents.ts";
import type { Lab } from "./lab.ts";

export const ALLOWED = 8080;
/** Nobody listens there: a packet that got through would be answered by a reset. */
export const DENIED = 8085;
export const POLICY = ETH0 + allowPorts("in", "ingress", ALLOWED) + allowPorts("out", "egress", ALLOWED);
const RESTART_TIMEOUT_MS = 20_000;

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

export interface Traffic {
  /** Connections to the allowed port; none may be refused or given up. */
  readonly connected: number;
  readonly refused: number;
  readonly timedOut: number;
  readonly slowestMs: number;
  /** Connections to the denied port. */
  readonly deniedTried: number;
  readonly deniedConnected: number;
  readonly deniedRefused: number;
  /** Datagrams to the denied port, sent, and what arrived of them. */
  readonly udpSent: number;
  readonly udpArrived: number;
  /** Numbered lines over one connection that began before the first restart. */
  readonly flow: { readonly sent: number; readonly echoed: number; readonly disorder: number; readonly broken: number };
}

/** Runs `disturb` with the traffic around it, from the lab's client to its shield. */
export async function underTraffic(
  { client, shield }: Pick<Lab, "client" | "shield">,
  address: string,
  inFlight: number,
  disturb: () => Promise<void>,
): Promise<Traffic> {
  const receiver = await ready(shield, [fixture("count-datagrams.mjs"), String(DENIED)]);
  const settings = JSON.stringify({ address, allowed: ALLOWED, denied: DENIED, inFlight });
  const sender = await ready(client, [fixture("restart-traffic.mjs"), settings]);
  try {
    await disturb();
  } finally {
    await sender.stop(30_000);
    await receiver.stop();
  }
  const [report = "{}"] = sender.stdout.split("\n").filter((line) => line.startsWith("{"));
  return {
    ...(JSON.parse(report) as Omit<Traffic, "udpArrived">),
    udpArrived: Number(/^count (\d+)/m.exec(receiver.stdout)?.[1]),
  };
}

/** The flow is whole, and nothing the policy denies got through. */
export function expectNothingUnjudged({ flow, deniedConnected, deniedRefused, udpArrived, ...sent }: Traffic): void {
  expect(flow).toMatchObject({ echoed: flow.sent, disorder: 0, broken: 0 });
  expect({ deniedConnected, deniedRefused, udpArrived }).toEqual({ deniedConnected: 0, deniedRefused: 0, udpArrived: 0 });
  expect(Math.min(sent.deniedTried, sent.udpSent, flow.sent)).toBeGreaterThan(5);
}

/** And of a restart that makes packets wait: no connection was refused or given up. */
export function expectNothingLost(traffic: Traffic): void {
  const { connected, refused, timedOut } = traffic;
  expect({ refused, timedOut }).toEqual({ refused: 0, timedOut: 0 });
  expect(connected).toBeGreaterThan(20);
  expectNothingUnjudged(traffic);
}

export async function restartOften(rampart: RampartProcess, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await rampart.restart();
}

/** SIGKILL, and a start by hand. */
export async function killOften(rampart: RampartProcess, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await rampart.kill();
    await rampart.start();
  }
}

/** Options of a daemon run by a service manager like systemd. */
export function manage(): Pick<RampartOptions, "wrapper"> {
  return { wrapper: ["python3", fixture("service-manager.py")] };
}

/** With `manage`: SIGHUP is `systemctl restart`, SIGUSR1 a crash. Each is over when the service is ready again. */
export async function restartServiceOften(
  rampart: RampartProcess,
  times: number,
  signal: "SIGHUP" | "SIGUSR1",
): Promise<void> {
  const readies = (): number => rampart.output.match(/^ready \d+$/gm)?.length ?? 0;
  for (let i = 0; i < times; i++) {
    const before = readies();
    await rampart.signal(signal);
    await expect.poll(readies, { timeout: RESTART_TIMEOUT_MS, interval: 20 }).toBeGreaterThan(before);
  }
}

async function ready(host: Host, argv: readonly string[]): Promise<ReturnType<Host["spawn"]>> {
  const running = host.spawn([process.execPath, ...argv]);
  await running.waitForOutput(/^ready$/m);
  return running;
}
