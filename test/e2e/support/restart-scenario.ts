/**
 * A daemon that is restarted again and again while connections storm in, one
 * connection goes on, and others try what the policy denies; and the count of
 * what became of it. The short form (restart.test.ts) and the long one
 * (soak/restart.soak.ts) differ in how often.
 */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { Lab } from "./lab.ts";

export const ALLOWED = 8080;
export const DENIED = 8085;

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

async function ready(host: Host, argv: readonly string[]): Promise<ReturnType<Host["spawn"]>> {
  const running = host.spawn([process.execPath, ...argv]);
  await running.waitForOutput(/^ready$/m);
  return running;
}
