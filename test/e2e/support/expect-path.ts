/**
 * What a set of paths comes to, asked all at once and compared as one picture,
 * so that a failure shows every path. "pass" and "drop" are the only outcomes a
 * firewall that drops should have; any other shows by its own name.
 */
import { expect } from "vitest";
import type { Host } from "../../../src/sandbox/host.ts";
import { ping, tcpConnect, udpEcho } from "../../../src/sandbox/probe.ts";

type Outcome = "pass" | "drop";

/** By path. */
export type Outcomes = Readonly<Record<string, Outcome>>;

export const FAMILIES = [4, 6] as const;
export type Family = (typeof FAMILIES)[number];

/** Where the names in a path lead. */
export interface Places {
  host(name: string): Host;
  address(name: string, family: Family): string;
  /** Of a path that names no port. */
  readonly port: number;
}

const PATIENCE_MS = 3000;
/** TCP repeats what is lost on the way; pings and datagrams have to be sent again. */
const TRIES = 3;
const SILENCE_MS = 300;
const NAMES: Readonly<Record<string, Outcome>> = { connected: "pass", answered: "pass", timeout: "drop" };

/** `FROM>TO`, with the protocol before it unless it is TCP, and `:PORT` and `@SOURCE-PORT` behind it. */
const PATH = /^(?:(udp|ping) )?(\w+)>(\w+)(?::(\d+))?(?:@(\d+))?$/;

/** Each path of `outcomes` comes to its outcome, over each family. */
export async function expectPaths(
  places: Places,
  outcomes: Outcomes,
  families: readonly Family[] = FAMILIES,
): Promise<void> {
  for (const family of families) {
    const seen = await Promise.all(
      Object.entries(outcomes).map(async ([path, outcome]) => {
        const got = await attempts(places, path, family, outcome === "pass" ? TRIES : 1);
        return [path, NAMES[got] ?? got] as const;
      }),
    );
    expect(Object.fromEntries(seen), `over IPv${family}`).toEqual(outcomes);
  }
}

/** Silence is believed at once where it is expected, elsewhere only after some tries. */
async function attempts(places: Places, path: string, family: Family, tries: number): Promise<string> {
  const got = await attempt(places, path, family, tries > 1 ? PATIENCE_MS : SILENCE_MS);
  return NAMES[got] === "drop" && tries > 1 ? attempts(places, path, family, tries - 1) : got;
}

function attempt(places: Places, path: string, family: Family, timeoutMs: number): Promise<string> {
  const match = PATH.exec(path);
  if (match === null) throw new Error(`${path} is not a path`);
  const [, protocol, from = "", to = "", port = String(places.port), sourcePort] = match;
  const [host, address] = [places.host(from), places.address(to, family)];
  const options = sourcePort === undefined ? { timeoutMs } : { timeoutMs, sourcePort: Number(sourcePort) };
  switch (protocol) {
    case "ping":
      return ping(host, address, { timeoutMs });
    case "udp":
      return udpEcho(host, address, Number(port), options);
    default:
      return tcpConnect(host, address, Number(port), options);
  }
}
