/**
 * Traffic of every kind, for as long as it is wanted, each exchange checked: what
 * is allowed comes through, what is denied does not. A gap is a time in which no
 * daemon is there to judge: what is new then has to wait, what is denied still
 * is, and what is established goes on.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Host } from "../../../src/sandbox/host.ts";
import { openTcp, openUdp, ping, startTransfer, tcpConnect, udpEcho } from "../../../src/sandbox/probe.ts";
import { allowPort, allowPorts, ETH0, policy } from "./documents.ts";
import { FAMILIES, type Lab } from "./lab.ts";

const PORT = 8080;
const DENIED_PORT = 8081;
const TRANSFER_PORT = 9000;
/** TCP sends again what was lost in a gap, UDP and pings have to be tried again. */
const TCP_PATIENCE_MS = 60_000;
const TRANSFER = { bytes: 1_000_000, chunk: 20_000, intervalMs: 10, timeoutMs: TCP_PATIENCE_MS };
const PATIENCE_MS = 5000;
const SILENCE_MS = 300;
const GAP_TRIES = 20;

const PING = { action: "Allow", protocol: "ICMP", icmp: { type: 8 } };
const PING6 = { action: "Allow", protocol: "ICMPv6", icmp: { type: 128 } };

/** What the traffic needs; a document more makes it another set. */
export const MIXED_POLICY = [
  ETH0,
  allowPorts("in", "ingress", PORT, TRANSFER_PORT),
  allowPorts("out", "egress", PORT),
  policy("ping", { types: ["Ingress", "Egress"], ingress: [PING, PING6], egress: [PING, PING6, allowPort("UDP", 53)] }),
].join("");

export class MixedTraffic {
  /** Exchanges that went as they should, by kind. */
  readonly counts: Record<string, number> = {};
  /** Those that did not. */
  readonly errors: string[] = [];
  /** Tries that were lost in a gap and came through when tried again, by kind. */
  readonly retried: Record<string, number> = {};
  readonly #lab: Lab;
  readonly #loops: Promise<void>[] = [];
  /** When gaps begin and, unless one is open, end: performance.now(). */
  readonly #gaps: { began: number; ended: number }[] = [];
  #stopped = false;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  start(): void {
    const { client, shield } = this.#lab;
    for (const { family, shield: shieldAddress, client: clientAddress } of FAMILIES) {
      for (const [from, to, address] of [[client, shield, shieldAddress], [shield, client, clientAddress]] as const) {
        const way = `over ${family} from ${from.name}`;
        const patient = { timeoutMs: TCP_PATIENCE_MS };
        this.#repeat(`TCP ${way}`, 20, "connected", () => tcpConnect(from, address, PORT, patient));
        this.#repeat(`UDP ${way}`, 20, "answered", () => udpEcho(from, address, PORT, { timeoutMs: PATIENCE_MS }));
        this.#repeat(`ping ${way}`, 400, "answered", () => ping(from, address, { timeoutMs: PATIENCE_MS }));
        const denied = { timeoutMs: SILENCE_MS };
        this.#repeat(`denied TCP ${way}`, 50, "timeout", () => tcpConnect(from, address, DENIED_PORT, denied));
        this.#repeat(`denied UDP ${way}`, 50, "timeout", () => udpEcho(from, address, DENIED_PORT, denied));
        this.#converse(`established TCP ${way}`, openTcp(from, address, PORT), TCP_PATIENCE_MS);
        this.#converse(`established UDP ${way}`, openUdp(from, address, PORT), PATIENCE_MS);
        if (to === shield && family === "IPv4") this.#transfer(shield, client, address);
      }
    }
  }

  /** From when the daemon is told to go to when the next one enforces. */
  async inGap(restart: () => Promise<unknown>): Promise<void> {
    const gap = { began: performance.now(), ended: Infinity };
    this.#gaps.push(gap);
    await restart();
    gap.ended = performance.now();
  }

  /** Resolves when the last exchange has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  #repeat(kind: string, everyMs: number, expected: string, attempt: () => Promise<string>): void {
    this.#loop(kind, everyMs, async () => {
      for (let tries = GAP_TRIES; ; tries--) {
        const began = performance.now();
        const outcome = await attempt();
        if (outcome === expected) return;
        if (expected === "timeout" || tries === 0 || !this.#metGap(began)) throw new Error(outcome);
        this.retried[kind] = (this.retried[kind] ?? 0) + 1;
      }
    });
  }

  #converse(kind: string, opening: ReturnType<typeof openTcp>, patienceMs: number): void {
    let number = 0;
    this.#loop(kind, 20, async () => {
      const conversation = await opening;
      const line = `line ${++number}`;
      for (let tries = GAP_TRIES; ; tries--) {
        const began = performance.now();
        const heard = await conversation.exchange(line, patienceMs);
        if (heard.line === line) return;
        if (tries === 0 || heard.outcome !== "timeout" || !this.#metGap(began)) throw new Error(JSON.stringify(heard));
        this.retried[kind] = (this.retried[kind] ?? 0) + 1;
      }
    });
  }

  #transfer(server: Host, client: Host, address: string): void {
    this.#loop("transfer", 100, async () => {
      const transfer = await startTransfer(server, client, address, TRANSFER_PORT, TRANSFER);
      try {
        const { received, sha256 } = await transfer.finished(60_000);
        if (received !== TRANSFER.bytes || sha256 !== transfer.sha256) throw new Error(`${received} bytes, damaged`);
      } finally {
        await transfer.close();
      }
    });
  }

  #loop(kind: string, everyMs: number, exchange: () => Promise<void>): void {
    const run = async (): Promise<void> => {
      while (!this.#stopped) {
        try {
          await exchange();
          this.counts[kind] = (this.counts[kind] ?? 0) + 1;
        } catch (error) {
          this.errors.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
        }
        await pause(everyMs);
      }
    };
    this.#loops.push(run());
  }

  #metGap(since: number): boolean {
    return this.#gaps.some(({ began, ended }) => began < performance.now() && ended > since);
  }
}
