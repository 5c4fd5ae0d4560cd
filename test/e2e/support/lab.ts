/**
 * The lab of the end-to-end tests: a host under protection ("shield") and a
 * client, joined by one cable, with servers on both that answer wherever no
 * firewall stands in the way. So "timeout" always means that a packet was
 * dropped: without a firewall the same try connects or is refused.
 */
import { expect } from "vitest";
import type { Host } from "../../../src/sandbox/host.ts";
import { ping, tcpConnect, tcpEchoServer, udpEcho, udpEchoServer } from "../../../src/sandbox/probe.ts";
import type { Server } from "../../../src/sandbox/probe.ts";
import { Sandbox, type SandboxOptions } from "../../../src/sandbox/sandbox.ts";

/** Addresses of one family in the lab. */
export interface Family {
  readonly family: "IPv4" | "IPv6";
  readonly shield: string;
  readonly client: string;
  /** A second address of the client. */
  readonly other: string;
  /** Everything of this family. */
  readonly anywhere: string;
  readonly clientNet: string;
  readonly icmp: "ICMP" | "ICMPv6";
  readonly echoRequest: number;
}

export const FAMILIES: readonly Family[] = [
  {
    family: "IPv4",
    shield: "10.77.0.1",
    client: "10.77.0.2",
    other: "10.77.0.3",
    anywhere: "0.0.0.0/0",
    clientNet: "10.77.0.2/32",
    icmp: "ICMP",
    echoRequest: 8,
  },
  {
    family: "IPv6",
    shield: "fd77::1",
    client: "fd77::2",
    other: "fd77::3",
    anywhere: "::/0",
    clientNet: "fd77::2/128",
    icmp: "ICMPv6",
    echoRequest: 128,
  },
];

/** Ports with a TCP and a UDP echo server on either host; 22, 179 and 6443 are failsafe, 8080 and up are not. */
const TCP_PORTS = [22, 179, 6443, 8080, 8081];
const UDP_PORTS = [53, 8080, 8081];

export class Lab {
  readonly sandbox: Sandbox;
  readonly shield: Host;
  readonly client: Host;
  readonly #servers: ReadonlyMap<string, Server>;

  private constructor(sandbox: Sandbox, shield: Host, client: Host, servers: ReadonlyMap<string, Server>) {
    this.sandbox = sandbox;
    this.shield = shield;
    this.client = client;
    this.#servers = servers;
  }

  static async create(options?: SandboxOptions): Promise<Lab> {
    const sandbox = await Sandbox.create(options);
    const shield = await sandbox.host("shield");
    const client = await sandbox.host("client");
    await sandbox.link(shield, client, {
      addresses: [
        ["10.77.0.1/24", "fd77::1/64"],
        ["10.77.0.2/24", "fd77::2/64"],
      ],
    });
    // Deprecated, so that the client speaks from it only when told to.
    for (const other of ["10.77.0.3/24", "fd77::3/64"]) {
      const argv = ["ip", "address", "add", other, "dev", "eth0", "preferred_lft", "0"];
      await client.run(other.includes(":") ? [...argv, "nodad"] : argv, { check: true });
    }
    const servers = new Map<string, Server>();
    for (const host of [shield, client]) {
      for (const port of TCP_PORTS) servers.set(`${host.name} ${port}`, await tcpEchoServer(host, port));
      for (const port of UDP_PORTS) await udpEchoServer(host, port);
    }
    return new Lab(sandbox, shield, client, servers);
  }

  /** The TCP echo server on a host's port. */
  server(host: Host, port: number): Server {
    const server = this.#servers.get(`${host.name} ${port}`);
    if (server === undefined) throw new Error(`${host.name} has no server on port ${port}`);
    return server;
  }

  destroy(): Promise<void> {
    return this.sandbox.destroy();
  }
}

/** What passes is seen at once, so waiting long costs nothing; silence is believed after this. */
const PATIENCE_MS = 4000;
const SILENCE_MS = 400;

export async function expectConnects(from: Host, address: string, port: number): Promise<void> {
  const outcome = await tcpConnect(from, address, port, { timeoutMs: PATIENCE_MS });
  expect(outcome, `TCP ${from.name} to ${address} port ${port}`).toBe("connected");
}

export async function expectDropped(from: Host, address: string, port: number): Promise<void> {
  const outcome = await tcpConnect(from, address, port, { timeoutMs: SILENCE_MS });
  expect(outcome, `TCP ${from.name} to ${address} port ${port}`).toBe("timeout");
}

export async function expectUdpAnswered(from: Host, address: string, port: number): Promise<void> {
  const outcome = await udpEcho(from, address, port, { timeoutMs: PATIENCE_MS });
  expect(outcome, `UDP ${from.name} to ${address} port ${port}`).toBe("answered");
}

export async function expectUdpDropped(from: Host, address: string, port: number): Promise<void> {
  const outcome = await udpEcho(from, address, port, { timeoutMs: SILENCE_MS });
  expect(outcome, `UDP ${from.name} to ${address} port ${port}`).toBe("timeout");
}

export async function expectPing(from: Host, address: string, outcome: "answered" | "timeout"): Promise<void> {
  const timeoutMs = outcome === "answered" ? PATIENCE_MS : SILENCE_MS;
  expect(await ping(from, address, { timeoutMs }), `ping ${from.name} to ${address}`).toBe(outcome);
}
