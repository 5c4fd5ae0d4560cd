/**
 * Many flows on which both sides speak all the time, each message with the
 * moment it was sent: what is heard tells when the last packet went through.
 * The caller opens the flows and numbers them; the server answers none of the
 * messages, it speaks on its own, at the same pace, on every flow that has
 * spoken to it.
 */
import { createSocket } from "node:dgram";
import type { Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, Socket } from "node:net";
import type { ChatterHeard, ChatterStart } from "./agent-protocol.ts";
import { listen, tryConnect } from "./agent-tcp.ts";
import { connected } from "./agent-udp.ts";

/** Of a message: the flow's number, big-endian, and CLOCK_MONOTONIC in milliseconds, which all namespaces share. */
const MESSAGE_BYTES = 12;
/** The flows take turns, so that their messages are spread over the interval. */
const TURNS = 20;

/** One side: what it says on each flow, and what it heard there. */
class Chatter {
  readonly #voices = new Map<number, (message: Buffer) => void>();
  readonly #heard = new Map<number, { count: number; latestMs: number }>();
  readonly #sockets: (Socket | UdpSocket)[] = [];
  readonly #timer: NodeJS.Timeout;
  #turn = 0;

  constructor(intervalMs: number) {
    this.#timer = setInterval(() => this.#speak(), intervalMs / TURNS);
  }

  voice(flow: number, send: (message: Buffer) => void): void {
    this.#voices.set(flow, send);
  }

  keep(socket: Socket | UdpSocket): void {
    this.#sockets.push(socket);
  }

  hear(message: Buffer): number {
    const flow = message.readUInt32BE(0);
    const sentMs = message.readDoubleBE(4);
    const before = this.#heard.get(flow);
    if (before === undefined) this.#heard.set(flow, { count: 1, latestMs: sentMs });
    else {
      before.count++;
      before.latestMs = Math.max(before.latestMs, sentMs);
    }
    return flow;
  }

  /** TCP: cuts the stream into messages; `onFirst` gets the number of the flow. */
  hearStream(socket: Socket, onFirst: (flow: number) => void): void {
    this.keep(socket);
    let pending = Buffer.alloc(0);
    let known = false;
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      pending = Buffer.concat([pending, bytes as Buffer]);
      while (pending.length >= MESSAGE_BYTES) {
        const flow = this.hear(pending.subarray(0, MESSAGE_BYTES));
        pending = pending.subarray(MESSAGE_BYTES);
        if (!known) onFirst(flow);
        known = true;
      }
    });
  }

  get heard(): ChatterHeard[] {
    return [...this.#heard].map(([flow, { count, latestMs }]) => ({ flow, count, latestMs }));
  }

  close(): void {
    clearInterval(this.#timer);
    for (const socket of this.#sockets) {
      if (socket instanceof Socket) socket.resetAndDestroy();
      else socket.close();
    }
  }

  #speak(): void {
    this.#turn = (this.#turn + 1) % TURNS;
    for (const [flow, send] of this.#voices) {
      if (flow % TURNS !== this.#turn) continue;
      const message = Buffer.alloc(MESSAGE_BYTES);
      message.writeUInt32BE(flow, 0);
      message.writeDoubleBE(Number(process.hrtime.bigint()) / 1e6, 4);
      send(message);
    }
  }
}

export class Chatters {
  readonly #chatters: { chatter: Chatter; end: () => void }[] = [];

  /** Speaks with whoever speaks to it, on a TCP and a UDP port of every address. */
  async serve({ port, intervalMs }: { port: number; intervalMs: number }): Promise<number> {
    const chatter = new Chatter(intervalMs);
    const tcp = createServer({ noDelay: true }, (socket) => {
      chatter.hearStream(socket, (flow) => chatter.voice(flow, (message) => socket.write(message)));
    });
    await listen(tcp, port);
    const udp = createSocket({ type: "udp6", ipv6Only: false });
    chatter.keep(udp);
    udp.on("error", () => undefined);
    udp.on("message", (message, from) => {
      chatter.voice(chatter.hear(message), (reply) => udp.send(reply, from.port, from.address, () => undefined));
    });
    udp.bind(port, "::");
    await once(udp, "listening");
    return this.#add(chatter, () => tcp.close());
  }

  /** Opens the flows; each speaks from then on. */
  async start({ address, port, protocol, firstFlow, flows, intervalMs }: ChatterStart): Promise<number> {
    const chatter = new Chatter(intervalMs);
    const target = { address, port, timeoutMs: 10_000 };
    const open = async (flow: number): Promise<void> => {
      const socket = protocol === "UDP" ? await connected(target) : await tryConnect(target);
      if (typeof socket === "string") throw new Error(`flow ${flow} to ${address} port ${port}: ${socket}`);
      if (socket instanceof Socket) {
        chatter.hearStream(socket, () => undefined);
        chatter.voice(flow, (message) => socket.write(message));
      } else {
        chatter.keep(socket);
        socket.on("message", (message) => chatter.hear(message));
        // A refusal of the own kernel to send is the outcome that is looked for.
        chatter.voice(flow, (message) => socket.send(message, () => undefined));
      }
    };
    try {
      await Promise.all(Array.from({ length: flows }, (_, index) => open(firstFlow + index)));
    } catch (error) {
      chatter.close();
      throw error;
    }
    return this.#add(chatter, () => undefined);
  }

  heard(number: number): ChatterHeard[] {
    const found = this.#chatters[number];
    if (found === undefined) throw new Error(`there is no chatter ${number}`);
    return found.chatter.heard;
  }

  end(number: number): null {
    this.#chatters[number]?.end();
    this.#chatters[number]?.chatter.close();
    return null;
  }

  #add(chatter: Chatter, end: () => void): number {
    return this.#chatters.push({ chatter, end }) - 1;
  }
}
