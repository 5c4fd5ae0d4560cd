/**
 * Many live flows on which both sides speak without end, half of them on a
 * port that the next policy forbids. Three witnesses of what still passes: the
 * messages, which carry the moment they were sent; rules of the host behind
 * Rampart's, which count every packet, also bare acknowledgements and what TCP
 * sends again; and the other half, which must not notice.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { type RampartProcess, startRampart } from "../../../src/sandbox/daemon.ts";
import { type Chatter, serveChatter, startChatter } from "../../../src/sandbox/probe.ts";
import { allowPorts, ETH0 } from "./documents.ts";
import { FAMILIES, type Lab } from "./lab.ts";
import { reload } from "./reload.ts";
import { monotonicMs } from "./reload-under-load.ts";

export const KEPT_PORT = 9001;
export const FORBIDDEN_PORT = 9002;
const KEPT = allowPorts("kept-in", "ingress", KEPT_PORT) + allowPorts("kept-out", "egress", KEPT_PORT);
const FORBIDDEN =
  allowPorts("forbidden-in", "ingress", FORBIDDEN_PORT) + allowPorts("forbidden-out", "egress", FORBIDDEN_PORT);
const FILE = "policy.yaml";

export interface RevocationShape {
  /** Of all kinds together: protocol, port, direction and family. */
  readonly flows: number;
  readonly intervalMs: number;
  /** Whether the daemon watches its files. */
  readonly watch: boolean;
}

/** What passed after the moment the flows were forbidden. */
export interface Passed {
  /** By kind of flow and who heard it. */
  readonly messages: readonly string[];
  /** Packets of forbidden flows that the rules behind Rampart's have counted. */
  readonly packets: number;
}

export class Revocation {
  readonly rampart: RampartProcess;
  readonly #lab: Lab;
  readonly #servers: readonly Chatter[];
  readonly #intervalMs: number;
  readonly #sides: { chatter: Chatter; what: string; port: number; flows: readonly number[] }[] = [];

  private constructor(lab: Lab, rampart: RampartProcess, servers: readonly Chatter[], intervalMs: number) {
    this.#lab = lab;
    this.rampart = rampart;
    this.#servers = servers;
    this.#intervalMs = intervalMs;
  }

  /** Starts the daemon and opens the flows; every one of them is heard from at both ends when it resolves. */
  static async start(lab: Lab, shape: RevocationShape): Promise<Revocation> {
    const policies = { [FILE]: ETH0 + KEPT + FORBIDDEN };
    await count(lab);
    const rampart = await startRampart(lab.shield, { policies, settings: { policy: { watch: shape.watch } } });
    const servers: Chatter[] = [];
    const revocation = new Revocation(lab, rampart, servers, shape.intervalMs);
    try {
      const kinds = FAMILIES.flatMap(({ family, shield, client }) =>
        [KEPT_PORT, FORBIDDEN_PORT].flatMap((port) =>
          (["TCP", "UDP"] as const).flatMap((protocol) => [
            { from: lab.client, to: lab.shield, address: shield, port, protocol, family },
            { from: lab.shield, to: lab.client, address: client, port, protocol, family },
          ]),
        ),
      );
      const flows = Math.ceil(shape.flows / kinds.length);
      const serving = new Map<string, Chatter>();
      for (const host of [lab.shield, lab.client]) {
        for (const port of [KEPT_PORT, FORBIDDEN_PORT]) {
          const server = await serveChatter(host, port, shape.intervalMs);
          servers.push(server);
          serving.set(`${host.name} ${port}`, server);
        }
      }
      for (const [kind, { from, to, address, port, protocol, family }] of kinds.entries()) {
        const firstFlow = 1 + kind * flows;
        const numbers = Array.from({ length: flows }, (_, index) => firstFlow + index);
        const { intervalMs } = shape;
        const opened = await startChatter(from, { address, port, protocol, firstFlow, flows, intervalMs });
        servers.push(opened);
        const what = `${protocol} over ${family} from ${from.name}`;
        const server = serving.get(`${to.name} ${port}`);
        revocation.#sides.push({ chatter: opened, what: `${what}, heard by ${from.name}`, port, flows: numbers });
        if (server !== undefined) {
          revocation.#sides.push({ chatter: server, what: `${what}, heard by ${to.name}`, port, flows: numbers });
        }
      }
      await revocation.#untilHeard(KEPT_PORT, 0);
      await revocation.#untilHeard(FORBIDDEN_PORT, 0);
    } catch (error) {
      await revocation.end();
      throw error;
    }
    return revocation;
  }

  get flows(): number {
    return this.#sides.reduce((sum, { flows }) => sum + flows.length, 0) / 2;
  }

  /**
   * Forbid half of the flows by a reload; what has passed in the time after it returned, which should be longer than
   * TCP waits before it sends again.
   */
  async revoke(observeMs: number): Promise<Passed> {
    this.writeForbidden(false);
    await reload(this.rampart);
    const returnedMs = monotonicMs();
    const packetsBefore = await this.packets();
    await pause(observeMs);
    await this.#untilHeard(KEPT_PORT, monotonicMs());
    const packets = (await this.packets()) - packetsBefore;
    const messages: string[] = [];
    for (const { what, flow, latestMs } of await this.latest(FORBIDDEN_PORT)) {
      if (latestMs > returnedMs) messages.push(`flow ${flow}, ${what}: sent ${latestMs - returnedMs} ms after`);
    }
    return { messages, packets };
  }

  /** Allow what was forbidden; resolves when every flow is heard from again at both ends. */
  async restore(): Promise<void> {
    this.writeForbidden(true);
    await reload(this.rampart);
    await this.#untilHeard(FORBIDDEN_PORT, monotonicMs());
  }

  writeForbidden(allowed: boolean): void {
    this.rampart.writePolicy(FILE, ETH0 + KEPT + (allowed ? FORBIDDEN : ""));
  }

  /** Of each flow to the port, at each end: when the latest message was sent that was heard there. */
  async latest(port: number): Promise<{ what: string; flow: number; latestMs: number }[]> {
    const all = [];
    for (const { chatter, what, flows } of this.#sides.filter((side) => side.port === port)) {
      const heard = await chatter.heard();
      for (const flow of flows) all.push({ what, flow, latestMs: heard.get(flow)?.latestMs ?? -Infinity });
    }
    return all;
  }

  /** Packets of forbidden flows so far that went past Rampart's rules. */
  async packets(): Promise<number> {
    let packets = 0;
    for (const save of ["iptables-save", "ip6tables-save"]) {
      const { stdout } = await this.#lab.shield.run([save, "-c"], { check: true });
      for (const [, counted] of stdout.matchAll(/^\[(\d+):\d+\] -A (?:INPUT|POSTROUTING) .*witness/gm)) {
        packets += Number(counted);
      }
    }
    return packets;
  }

  async end(): Promise<void> {
    for (const server of this.#servers) await server.end();
    await this.rampart.uninstall();
  }

  /** Every flow to the port was heard from, at both ends, with a message sent after the moment. */
  async #untilHeard(port: number, sinceMs: number): Promise<void> {
    const silent = async () => {
      const latest = await this.latest(port);
      return latest.filter(({ latestMs }) => latestMs <= sinceMs).map(({ what, flow }) => `flow ${flow}, ${what}`);
    };
    await expectNone(silent, 2 * this.#intervalMs);
  }
}

/** TCP that was cut for a while waits longer and longer before it sends again. */
async function expectNone(silent: () => Promise<readonly string[]>, interval: number): Promise<void> {
  await expect.poll(silent, { timeout: 30_000, interval }).toEqual([]);
}

/** Rules behind Rampart's that count the packets of forbidden flows, in and out. */
async function count(lab: Lab): Promise<void> {
  for (const iptables of ["iptables", "ip6tables"]) {
    for (const protocol of ["tcp", "udp"]) {
      for (const [table, chain] of [["security", "INPUT"], ["mangle", "POSTROUTING"]] as const) {
        for (const side of ["--sport", "--dport"]) {
          const match = ["-p", protocol, side, String(FORBIDDEN_PORT), "-m", "comment", "--comment", "witness"];
          const rule = [chain, ...match];
          const known = await lab.shield.run([iptables, "-t", table, "-C", ...rule]);
          if (known.code !== 0) await lab.shield.run([iptables, "-t", table, "-A", ...rule], { check: true });
        }
      }
    }
  }
}
