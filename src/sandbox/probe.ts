/**
 * Real traffic between sandbox hosts with crisp outcomes: what was dropped
 * ("timeout") is told from what was refused and from what no route leads to.
 */
import type {
  Burst,
  BurstResult,
  ChatterHeard,
  ChatterStart,
  Heard,
  HttpAnswer,
  TcpOutcome,
  TransferProgress,
  UdpOutcome,
} from "./agent-protocol.ts";
import type { Host } from "./host.ts";

export type { BurstResult, ChatterHeard, Heard, HttpAnswer, TcpOutcome, TransferProgress, UdpOutcome };

export interface ProbeOptions {
  /** How long silence may last until it counts as "timeout"; 1000 unless told. */
  readonly timeoutMs?: number;
  readonly sourcePort?: number;
}

/** Try one TCP connection and close it again. */
export async function tcpConnect(
  from: Host,
  address: string,
  port: number,
  options: ProbeOptions = {},
): Promise<TcpOutcome> {
  const target = { address, port, timeoutMs: options.timeoutMs ?? 1000, sourcePort: options.sourcePort };
  return (await from.agent.call("tcpConnect", { ...target, keep: false })).outcome;
}

/** Send one datagram to a UDP echo server and wait for it to come back. */
export function udpEcho(from: Host, address: string, port: number, options: ProbeOptions = {}): Promise<UdpOutcome> {
  const target = { address, port, timeoutMs: options.timeoutMs ?? 1000, sourcePort: options.sourcePort };
  return from.agent.call("udpEcho", target);
}

export type PingOutcome = "answered" | "timeout" | "unreachable";

/** Echo requests by iputils ping; "answered" when at least one reply came back. */
export async function ping(
  from: Host,
  address: string,
  options: { readonly count?: number; readonly timeoutMs?: number } = {},
): Promise<PingOutcome> {
  const { count = 1, timeoutMs = 1000 } = options;
  const seconds = (timeoutMs / 1000).toFixed(1);
  const argv = ["ping", "-n", "-q", "-c", String(count), "-i", "0.2", "-W", seconds, address];
  const result = await from.run(argv, { timeout: count * 1000 + timeoutMs + 5000, env: { LC_ALL: "C" } });
  if (result.code === 0) return "answered";
  // Errors are counted in the closing line; a packet the own kernel will not send is printed by sendmsg.
  return /\+\d+ errors|unreachable|not permitted/i.test(result.stdout + result.stderr) ? "unreachable" : "timeout";
}

/** A connection or a UDP socket that stays open and exchanges lines. */
export class Conversation {
  readonly #host: Host;
  readonly #number: number;

  /** Made by `openTcp` and `openUdp`. */
  constructor(host: Host, number: number) {
    this.#host = host;
    this.#number = number;
  }

  /** Send a line and wait for the next line. */
  exchange(line: string, timeoutMs = 1000): Promise<Heard> {
    return this.#host.agent.call("converse", { conversation: this.#number, send: line, timeoutMs });
  }

  /** Wait for a line without sending one. */
  listen(timeoutMs = 1000): Promise<Heard> {
    return this.#host.agent.call("converse", { conversation: this.#number, timeoutMs });
  }

  /** TCP: with a reset. */
  async close(): Promise<void> {
    await this.#host.agent.call("hangUp", { conversation: this.#number });
  }
}

/** Connect and stay connected; throws when there is no connection. */
export async function openTcp(
  from: Host,
  address: string,
  port: number,
  options: ProbeOptions = {},
): Promise<Conversation> {
  const target = { address, port, timeoutMs: options.timeoutMs ?? 3000, sourcePort: options.sourcePort };
  const { outcome, conversation } = await from.agent.call("tcpConnect", { ...target, keep: true });
  if (outcome !== "connected") throw new Error(`${from.name} to ${address} port ${port}: ${outcome}`);
  return new Conversation(from, conversation);
}

/** A UDP socket with one peer. */
export async function openUdp(
  from: Host,
  address: string,
  port: number,
  options: ProbeOptions = {},
): Promise<Conversation> {
  const target = { address, port, timeoutMs: 0, sourcePort: options.sourcePort };
  return new Conversation(from, await from.agent.call("udpOpen", target));
}

/** A server on every address of a host, IPv4 and IPv6. */
export class Server {
  readonly #host: Host;
  readonly #number: number;

  /** Made by `tcpEchoServer` and `udpEchoServer`. */
  constructor(host: Host, number: number) {
    this.#host = host;
    this.#number = number;
  }

  /** Send a line to every client unasked (UDP: to whoever has sent something); resolves to how many there are. */
  speak(line: string): Promise<number> {
    return this.#host.agent.call("speak", { server: this.#number, line });
  }

  /** Stop listening and drop every client. */
  async close(): Promise<void> {
    await this.#host.agent.call("closeServer", { server: this.#number });
  }
}

export async function tcpEchoServer(host: Host, port: number): Promise<Server> {
  return new Server(host, await host.agent.call("tcpEchoServer", { port }));
}

export async function udpEchoServer(host: Host, port: number): Promise<Server> {
  return new Server(host, await host.agent.call("udpEchoServer", { port }));
}

export interface TransferOptions {
  readonly bytes: number;
  /** Bytes sent at a time, and the milliseconds between: the pace. */
  readonly chunk: number;
  readonly intervalMs: number;
  /** How long connecting may take; 3000 unless told. */
  readonly timeoutMs?: number;
}

/** A transfer under way from a server to a client. */
export class Transfer {
  /** Of the whole content, as the server knows it. */
  readonly sha256: string;
  readonly #client: Host;
  readonly #number: number;
  readonly #server: Server;

  /** Made by `startTransfer`. */
  constructor(client: Host, number: number, server: Server, sha256: string) {
    this.#client = client;
    this.#number = number;
    this.#server = server;
    this.sha256 = sha256;
  }

  progress(): Promise<TransferProgress> {
    return this.#client.agent.call("transferProgress", { transfer: this.#number });
  }

  /** Wait until at least `bytes` arrived; throws when the transfer fails or the time is up. */
  received(bytes: number, timeoutMs = 10_000): Promise<TransferProgress> {
    return this.#until((progress) => progress.received >= bytes, timeoutMs, `${bytes} bytes`);
  }

  /** Wait for the end; what arrived is whole when the two checksums agree. */
  finished(timeoutMs = 20_000): Promise<TransferProgress> {
    return this.#until((progress) => progress.state === "finished", timeoutMs, "the end");
  }

  /** Stop serving; a transfer that is under way breaks. */
  close(): Promise<void> {
    return this.#server.close();
  }

  async #until(
    reached: (progress: TransferProgress) => boolean,
    timeoutMs: number,
    what: string,
  ): Promise<TransferProgress> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const progress = await this.progress();
      if (reached(progress)) return progress;
      if (progress.state === "failed" || Date.now() > deadline) {
        throw new Error(`the transfer did not reach ${what}: ${JSON.stringify(progress)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Serve a known content on `server` and fetch it on `client`; throws when the client cannot connect. */
export async function startTransfer(
  server: Host,
  client: Host,
  address: string,
  port: number,
  { timeoutMs = 3000, ...options }: TransferOptions,
): Promise<Transfer> {
  const { server: number, sha256 } = await server.agent.call("transferServer", { port, ...options });
  const serving = new Server(server, number);
  const { outcome, transfer } = await client.agent.call("transferStart", { address, port, timeoutMs });
  if (outcome === "connected") return new Transfer(client, transfer, serving, sha256);
  await serving.close();
  throw new Error(`${client.name} to ${address} port ${port}: ${outcome}`);
}

/** One side of flows on which both sides speak all the time. */
export class Chatter {
  readonly #host: Host;
  readonly #number: number;

  /** Made by `serveChatter` and `startChatter`. */
  constructor(host: Host, number: number) {
    this.#host = host;
    this.#number = number;
  }

  /** What this side has heard so far, by flow; a flow on which nothing was heard is not there. */
  async heard(): Promise<ReadonlyMap<number, ChatterHeard>> {
    const heard = await this.#host.agent.call("chatterHeard", { chatter: this.#number });
    return new Map(heard.map((each) => [each.flow, each]));
  }

  async end(): Promise<void> {
    await this.#host.agent.call("chatterEnd", { chatter: this.#number });
  }
}

/** Speaks on every flow that has spoken to the port, over TCP or UDP. */
export async function serveChatter(host: Host, port: number, intervalMs: number): Promise<Chatter> {
  return new Chatter(host, await host.agent.call("chatterServer", { port, intervalMs }));
}

/** Opens the flows; throws when one of them cannot be. */
export async function startChatter(from: Host, flows: ChatterStart): Promise<Chatter> {
  return new Chatter(from, await from.agent.call("chatterStart", flows));
}

/** Datagrams to a UDP echo server, each a flow of its own. */
export function udpBurst(from: Host, datagrams: Burst): Promise<BurstResult> {
  return from.agent.call("burst", datagrams);
}

/** GET over HTTP/1.1 from inside a host. */
export function httpGet(
  from: Host,
  address: string,
  port: number,
  path: string,
  timeoutMs = 2000,
): Promise<HttpAnswer> {
  return from.agent.call("httpGet", { address, port, path, timeoutMs });
}
