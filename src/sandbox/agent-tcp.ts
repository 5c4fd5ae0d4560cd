/**
 * TCP traffic of one host: connection attempts with a crisp outcome, kept
 * connections that exchange lines, and echo servers for both families.
 */
import { createServer, Socket } from "node:net";
import type { Server } from "node:net";
import type { Heard, Target, TcpOutcome } from "./agent-protocol.ts";

/** What an errno of connect(2) or send(2) says about the way to the target; undefined when it says nothing. */
export function failureOf(error: NodeJS.ErrnoException): "refused" | "timeout" | "unreachable" | undefined {
  switch (error.code) {
    case "ECONNREFUSED":
    case "ECONNRESET":
      return "refused";
    case "ETIMEDOUT":
      return "timeout";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EACCES":
    case "EPERM":
    case "ENOPROTOOPT":
      return "unreachable";
    default:
      return undefined;
  }
}

/** The connected socket, or how the attempt ended. */
export function tryConnect(target: Target): Promise<Socket | TcpOutcome> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const timer = setTimeout(() => {
      socket.destroy();
      resolve("timeout");
    }, target.timeoutMs);
    socket.once("connect", () => {
      clearTimeout(timer);
      resolve(socket);
    });
    socket.on("error", (error) => {
      clearTimeout(timer);
      const outcome = failureOf(error);
      if (outcome === undefined) reject(error);
      else resolve(outcome);
    });
    socket.connect({
      host: target.address,
      port: target.port,
      noDelay: true,
      ...(target.sourcePort === undefined ? {} : { localPort: target.sourcePort }),
    });
  });
}

/** Lines that came in, and one waiter at a time for the next. */
export class LineInbox {
  #partial = "";
  #closed = false;
  readonly #lines: string[] = [];
  #waiter: (() => void) | undefined;

  push(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    this.#lines.push(...lines);
    this.#waiter?.();
  }

  close(): void {
    this.#closed = true;
    this.#waiter?.();
  }

  next(timeoutMs: number): Promise<Heard> {
    return new Promise((resolve) => {
      const finish = (heard: Heard) => {
        clearTimeout(timer);
        this.#waiter = undefined;
        resolve(heard);
      };
      const look = () => {
        const line = this.#lines.shift();
        if (line !== undefined) finish({ outcome: "line", line });
        else if (this.#closed) finish({ outcome: "closed", line: "" });
      };
      const timer = setTimeout(() => finish({ outcome: "timeout", line: "" }), timeoutMs);
      this.#waiter = look;
      look();
    });
  }
}

export class TcpTraffic {
  readonly #conversations = new Map<number, { socket: Socket; inbox: LineInbox }>();
  readonly #servers = new Map<number, { server: Server; clients: Set<Socket> }>();
  #last = 0;

  async connect(given: Target & { keep: boolean }): Promise<{ outcome: TcpOutcome; conversation: number }> {
    const socket = await tryConnect(given);
    if (!(socket instanceof Socket)) return { outcome: socket, conversation: 0 };
    if (!given.keep) {
      // A reset leaves no TIME_WAIT behind, so the same source port can be used again at once.
      socket.resetAndDestroy();
      return { outcome: "connected", conversation: 0 };
    }
    const inbox = new LineInbox();
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => inbox.push(text));
    socket.on("close", () => inbox.close());
    const conversation = ++this.#last;
    this.#conversations.set(conversation, { socket, inbox });
    return { outcome: "connected", conversation };
  }

  converse(given: { conversation: number; send?: string; timeoutMs: number }): Promise<Heard> {
    const { socket, inbox } = this.#find(given.conversation);
    if (given.send !== undefined) socket.write(`${given.send}\n`);
    return inbox.next(given.timeoutMs);
  }

  hangUp(conversation: number): null {
    this.#find(conversation).socket.resetAndDestroy();
    this.#conversations.delete(conversation);
    return null;
  }

  async serve(port: number): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("data", (bytes) => socket.write(bytes));
    });
    await listen(server, port);
    return this.adopt(server);
  }

  /** Keep track of a listening server and its clients. */
  adopt(server: Server): number {
    const clients = new Set<Socket>();
    server.on("connection", (socket) => {
      clients.add(socket);
      socket.on("close", () => clients.delete(socket));
      socket.on("error", () => undefined);
    });
    const number = ++this.#last;
    this.#servers.set(number, { server, clients });
    return number;
  }

  speak(server: number, line: string): number {
    const clients = this.#servers.get(server)?.clients ?? new Set<Socket>();
    for (const socket of clients) socket.write(`${line}\n`);
    return clients.size;
  }

  closeServer(number: number): null {
    const found = this.#servers.get(number);
    found?.server.close();
    for (const socket of found?.clients ?? []) socket.destroy();
    this.#servers.delete(number);
    return null;
  }

  #find(conversation: number): { socket: Socket; inbox: LineInbox } {
    const found = this.#conversations.get(conversation);
    if (found === undefined) throw new Error(`there is no conversation ${conversation}`);
    return found;
  }
}

/** Listen on every address of both families. */
export function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "::", port, ipv6Only: false }, () => resolve());
  });
}
