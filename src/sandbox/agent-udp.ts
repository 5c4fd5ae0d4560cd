/**
 * UDP traffic of one host: one-off echo attempts, kept sockets that exchange
 * lines, and echo servers for both families. Sockets are connected, so that
 * an ICMP error comes back as an errno. Numbers given out are negative.
 */
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import type { Heard, Target, UdpOutcome } from "./agent-protocol.ts";
import { LineInbox, failureOf } from "./agent-tcp.ts";

export class UdpTraffic {
  readonly #conversations = new Map<number, { socket: Socket; inbox: LineInbox }>();
  readonly #servers = new Map<number, { socket: Socket; clients: Map<string, { port: number; address: string }> }>();
  #last = 0;

  async echo(given: Target): Promise<UdpOutcome> {
    let socket: Socket;
    try {
      socket = await connected(given);
    } catch (error) {
      const outcome = failureOf(error as NodeJS.ErrnoException);
      if (outcome === undefined) throw error;
      return outcome;
    }
    return new Promise<UdpOutcome>((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer);
        socket.close();
        act();
      };
      const fail = (error: NodeJS.ErrnoException) => {
        finish(() => {
          const outcome = failureOf(error);
          if (outcome === undefined) reject(error);
          else resolve(outcome);
        });
      };
      const timer = setTimeout(() => finish(() => resolve("timeout")), given.timeoutMs);
      socket.removeAllListeners("error").once("error", fail);
      socket.once("message", () => finish(() => resolve("answered")));
      // A refusal of the own kernel to send comes to the callback and not as an event.
      socket.send("are you there\n", (error) => {
        if (error !== null) socket.emit("error", error);
      });
    });
  }

  async open(given: Target): Promise<number> {
    const socket = await connected(given);
    const inbox = new LineInbox();
    socket.on("message", (message) => inbox.push(message.toString()));
    const conversation = --this.#last;
    this.#conversations.set(conversation, { socket, inbox });
    return conversation;
  }

  converse(given: { conversation: number; send?: string; timeoutMs: number }): Promise<Heard> {
    const found = this.#conversations.get(given.conversation);
    if (found === undefined) throw new Error(`there is no conversation ${given.conversation}`);
    // What is lost on the way shows as silence.
    if (given.send !== undefined) found.socket.send(`${given.send}\n`, () => undefined);
    return found.inbox.next(given.timeoutMs);
  }

  hangUp(conversation: number): null {
    this.#conversations.get(conversation)?.socket.close();
    this.#conversations.delete(conversation);
    return null;
  }

  async serve(port: number): Promise<number> {
    const socket = createSocket({ type: "udp6", ipv6Only: false });
    const clients = new Map<string, { port: number; address: string }>();
    socket.on("message", (message, from) => {
      // Port 0 is a sender that wants no answer, and no socket can send there.
      if (from.port === 0) return;
      clients.set(`${from.address} ${from.port}`, from);
      socket.send(message, from.port, from.address, () => undefined);
    });
    socket.bind(port, "::");
    await once(socket, "listening");
    const number = --this.#last;
    this.#servers.set(number, { socket, clients });
    return number;
  }

  /** To everyone who ever sent something. */
  speak(server: number, line: string): number {
    const found = this.#servers.get(server);
    if (found === undefined) return 0;
    for (const { port, address } of found.clients.values()) {
      found.socket.send(`${line}\n`, port, address, () => undefined);
    }
    return found.clients.size;
  }

  closeServer(number: number): null {
    this.#servers.get(number)?.socket.close();
    this.#servers.delete(number);
    return null;
  }
}

/** A connected socket. */
export async function connected(target: Target): Promise<Socket> {
  const socket = createSocket(target.address.includes(":") ? "udp6" : "udp4");
  if (target.sourcePort !== undefined) {
    socket.bind(target.sourcePort);
    await once(socket, "listening");
  }
  socket.connect(target.port, target.address);
  try {
    await once(socket, "connect");
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on("error", () => undefined);
  return socket;
}
