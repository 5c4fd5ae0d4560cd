/**
 * The daemon's side of the control socket. Only the socket's owner (root, for
 * a daemon) can speak to it: the file has mode 0600 before the first client
 * can connect. A socket somebody answers on is never taken over.
 */
import { chmodSync, lstatSync, mkdirSync, renameSync, unlinkSync } from "node:fs";
import { type Server, connect, createServer } from "node:net";
import { dirname } from "node:path";
import { RampartError } from "../errors/rampart-error.ts";
import { ControlConnection } from "./connection.ts";
import type { ControlHandler } from "./stream.ts";

/** sun_path holds 108 bytes with its closing zero (unix(7)). */
const MAX_PATH_BYTES = 107;
const MAX_CONNECTIONS = 64;

export interface ControlServerOptions {
  /** Told about handler failures that are no RampartError: a defect, which belongs in the log. */
  readonly onInternalError?: (method: string, error: unknown) => void;
}

export class ControlServer {
  /** Where clients look for it. */
  readonly #publicPath: string;
  /** What the socket was bound to. */
  #path: string;
  /** Inode of the socket's file after `moveIn`. */
  #movedIn: number | undefined;
  readonly #server: Server;
  readonly #connections = new Set<ControlConnection>();

  constructor(path: string, handlers: Readonly<Record<string, ControlHandler>>, options: ControlServerOptions = {}) {
    this.#publicPath = path;
    this.#path = path;
    const methods = new Map(Object.entries(handlers));
    const onInternalError = options.onInternalError ?? (() => {});
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = new ControlConnection(socket, methods, onInternalError);
      this.#connections.add(connection);
      socket.once("close", () => this.#connections.delete(connection));
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Binds the socket, replacing a file that a dead daemon left behind; `aside`, to a name of its own beside the one of
   * the daemon that still runs, until `moveIn`. For the main thread only: it sets the umask, which worker threads may
   * not.
   * @throws RampartError RAMPART_E_CONTROL_BUSY if another daemon answers on the path,
   *   RAMPART_E_CONTROL_PATH if the path cannot hold a socket, RAMPART_E_PRIVILEGE without the right to make it.
   */
  async listen({ aside = false }: { readonly aside?: boolean } = {}): Promise<void> {
    // A name nobody else uses: Node removes the name it has bound when it closes, whoever has it then.
    if (aside) this.#path = `${this.#publicPath}.${process.pid}`;
    if (Buffer.byteLength(this.#path) > MAX_PATH_BYTES) {
      throw new RampartError("RAMPART_E_CONTROL_PATH", `the control socket path ${this.#path} is too long`, {
        hint: `a unix socket's path has at most ${MAX_PATH_BYTES} bytes; set control.socket to a shorter one`,
      });
    }
    try {
      makeDirectory(dirname(this.#path));
      try {
        await this.#bind();
      } catch (error) {
        if (errnoOf(error) !== "EADDRINUSE") throw error;
        await this.#removeStale();
        await this.#bind();
      }
      chmodSync(this.#path, 0o600);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** The other daemon is gone: takes its place, a file it may have left included. */
  moveIn(): void {
    renameSync(this.#path, this.#publicPath);
    this.#movedIn = lstatSync(this.#publicPath).ino;
  }

  /** Hangs up on every client and removes the socket file. Idempotent. */
  async close(): Promise<void> {
    // Node removes the name it has bound, which a socket that moved in has no more.
    const file = lstatSync(this.#publicPath, { throwIfNoEntry: false });
    if (this.#movedIn !== undefined && file?.ino === this.#movedIn) unlinkSync(this.#publicPath);
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #bind(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(error);
      this.#server.once("error", failed);
      // bind(2) happens inside listen(), so the mask covers it and nothing else on this thread.
      const mask = process.umask(0o177);
      try {
        this.#server.listen(this.#path, () => {
          this.#server.off("error", failed);
          resolve();
        });
      } finally {
        process.umask(mask);
      }
    });
  }

  async #removeStale(): Promise<void> {
    const before = lstatSync(this.#path, { throwIfNoEntry: false });
    if (before === undefined) return;
    if (!before.isSocket()) {
      throw new RampartError("RAMPART_E_CONTROL_PATH", `${this.#path} exists and is not a socket`, {
        hint: "set control.socket to another path, or move that file away",
      });
    }
    if (await isAnswered(this.#path)) {
      throw new RampartError("RAMPART_E_CONTROL_BUSY", `another rampart answers on ${this.#path}`, {
        hint: "stop it first (systemctl stop rampart), or give this one its own control.socket",
      });
    }
    // Another daemon may have replaced the dead file meanwhile; then the bind that follows fails.
    if (lstatSync(this.#path, { throwIfNoEntry: false })?.ino === before.ino) unlinkSync(this.#path);
  }

  #explain(error: unknown): unknown {
    const code = errnoOf(error);
    if (error instanceof RampartError || code === undefined) return error;
    if (code === "EACCES" || code === "EPERM") {
      return new RampartError("RAMPART_E_PRIVILEGE", `no right to create the control socket ${this.#path}`, {
        hint: "run the daemon as root, or set control.socket to a path this user may write",
        cause: error,
      });
    }
    if (code === "EADDRINUSE") {
      return new RampartError("RAMPART_E_CONTROL_BUSY", `another rampart took ${this.#path} while this one started`, {
        hint: "run one daemon for each control.socket",
        cause: error,
      });
    }
    return new RampartError("RAMPART_E_CONTROL_PATH", `cannot create the control socket ${this.#path}: ${code}`, {
      hint: "set control.socket to a path in a directory that exists, such as /run/rampart/control.sock",
      cause: error,
    });
  }
}

/** Only the last directory: Node's recursive mkdir never returns below /proc. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Anything but a refused connection counts as an answer: a daemon with a full backlog is not dead. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => {
      resolve(errnoOf(error) !== "ECONNREFUSED" && errnoOf(error) !== "ENOENT");
    });
  });
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
