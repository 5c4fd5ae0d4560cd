/** Flows of SCTP and ICMP between hosts, of which either side can be the next to speak, by raw-flows.pl beside this. */
import { fileURLToPath } from "node:url";
import type { Host } from "../../../src/sandbox/host.ts";
import type { SandboxProcess } from "../../../src/sandbox/process.ts";

const PROGRAM = fileURLToPath(new URL("raw-flows.pl", import.meta.url));
const Chunk = { INIT: 1, HEARTBEAT: 4, HEARTBEAT_ACK: 5, COOKIE_ACK: 11 } as const;
const FIRST_CLIENT_PORT = 40_000;
const SERVER_PORT = 7000;

/** A host's end of its flows. */
export class RawPeer {
  readonly #process: SandboxProcess;

  private constructor(process: SandboxProcess) {
    this.#process = process;
  }

  static async start(host: Host): Promise<RawPeer> {
    const process = host.spawn(["perl", PROGRAM], { stdin: true });
    await process.waitForOutput(/^listening\n/);
    return new RawPeer(process);
  }

  send(...words: readonly (string | number)[]): void {
    this.#process.write(`${words.join(" ")}\n`);
  }

  /** Whether the packet came, or comes in time. */
  async hears(words: readonly (string | number)[], timeoutMs: number): Promise<boolean> {
    try {
      await this.#process.waitForOutput(new RegExp(`^${words.join(" ")}\n`, "m"), timeoutMs);
      return true;
    } catch {
      return false;
    }
  }
}

interface Ends {
  readonly client: RawPeer;
  readonly server: RawPeer;
  readonly clientAddress: string;
  readonly serverAddress: string;
}

/** One flow; the client's messages are answered, the server's are not. */
export class RawFlow {
  static #last = 0;
  readonly #ends: Ends;
  readonly #protocol: "SCTP" | "ICMP";
  /** The client's port, or the identifier. */
  readonly #key: number;
  readonly #version: 4 | 6;

  constructor(protocol: "SCTP" | "ICMP", ends: Ends) {
    this.#ends = ends;
    this.#protocol = protocol;
    this.#key = FIRST_CLIENT_PORT + ++RawFlow.#last;
    this.#version = ends.serverAddress.includes(":") ? 6 : 4;
  }

  /** SCTP's handshake, or a first ping. */
  open(timeoutMs: number): Promise<boolean> {
    if (this.#protocol === "ICMP") return this.say("client", 0, timeoutMs);
    const { client, serverAddress } = this.#ends;
    client.send("sctp", this.#version, serverAddress, this.#key, SERVER_PORT, Chunk.INIT, 0);
    return client.hears(["sctp", this.#version, this.#key, SERVER_PORT, Chunk.COOKIE_ACK, 0], timeoutMs);
  }

  /** One side says the number; whether the client hears it, or its answer. */
  say(by: "client" | "server", number: number, timeoutMs: number): Promise<boolean> {
    const { client, server, clientAddress, serverAddress } = this.#ends;
    const [version, key] = [this.#version, this.#key];
    if (this.#protocol === "ICMP") {
      const [request, reply] = version === 4 ? [8, 0] : [128, 129];
      if (by === "client") client.send("icmp", version, serverAddress, key, request, number);
      else server.send("icmp", version, clientAddress, key, reply, number);
      return client.hears(["icmp", version, key, reply, number], timeoutMs);
    }
    if (by === "client") client.send("sctp", version, serverAddress, key, SERVER_PORT, Chunk.HEARTBEAT, number);
    else server.send("sctp", version, clientAddress, SERVER_PORT, key, Chunk.HEARTBEAT, number);
    const heard = by === "client" ? Chunk.HEARTBEAT_ACK : Chunk.HEARTBEAT;
    return client.hears(["sctp", version, key, SERVER_PORT, heard, number], timeoutMs);
  }
}
