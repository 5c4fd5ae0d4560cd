/**
 * Long transfers with a known content: the server sends a fixed pattern at a
 * steady pace, the client counts and hashes what arrives, so that a lost,
 * doubled or damaged byte shows.
 */
import { createHash } from "node:crypto";
import { createServer, Socket } from "node:net";
import type { Server } from "node:net";
import type { Target, TcpOutcome, TransferProgress } from "./agent-protocol.ts";
import { listen, tryConnect } from "./agent-tcp.ts";

interface ServeOptions {
  readonly port: number;
  readonly bytes: number;
  readonly chunk: number;
  readonly intervalMs: number;
}

export class Transfers {
  readonly #running = new Map<number, () => TransferProgress>();

  async serve(options: ServeOptions): Promise<{ server: Server; sha256: string }> {
    const content = pattern(options.bytes);
    const server = createServer({ noDelay: true }, (socket) => {
      let sent = 0;
      const timer = setInterval(() => {
        if (socket.writableNeedDrain) return;
        const end = Math.min(sent + options.chunk, content.length);
        socket.write(content.subarray(sent, end));
        sent = end;
        if (sent === content.length) {
          clearInterval(timer);
          socket.end();
        }
      }, options.intervalMs);
      socket.on("close", () => clearInterval(timer));
    });
    await listen(server, options.port);
    return { server, sha256: createHash("sha256").update(content).digest("hex") };
  }

  async start(target: Target): Promise<{ outcome: TcpOutcome; transfer: number }> {
    const socket = await tryConnect(target);
    if (!(socket instanceof Socket)) return { outcome: socket, transfer: 0 };
    const hash = createHash("sha256");
    let progress: TransferProgress = { received: 0, state: "running", sha256: "", error: "" };
    socket.on("data", (bytes) => {
      hash.update(bytes);
      progress = { ...progress, received: progress.received + bytes.length };
    });
    socket.on("error", (error) => {
      progress = { ...progress, state: "failed", error: error.message };
    });
    socket.on("end", () => {
      progress = { ...progress, state: "finished", sha256: hash.digest("hex") };
    });
    const transfer = this.#running.size + 1;
    this.#running.set(transfer, () => progress);
    return { outcome: "connected", transfer };
  }

  progress(transfer: number): TransferProgress {
    const read = this.#running.get(transfer);
    if (read === undefined) throw new Error(`there is no transfer ${transfer}`);
    return read();
  }
}

/** Bytes whose value depends on their place, so that no two chunks are alike. */
function pattern(length: number): Buffer {
  const content = Buffer.alloc(length);
  for (let at = 0, state = 1; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    content[at] = state >>> 16;
  }
  return content;
}
