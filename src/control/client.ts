/**
 * The command line's side of the control socket: one connection a call. Every
 * failure is a RampartError that says what to do; what the daemon sends is
 * bounded a line at a time, and a paused stream stops reading, so that the
 * daemon, not this process, drops what nobody takes.
 */
import { type Socket, connect } from "node:net";
import { RampartError } from "../errors/rampart-error.ts";
import { LineSplitter } from "./line-splitter.ts";
import { MAX_MESSAGE_BYTES, parseMessage } from "./protocol.ts";

/** How long a stream waits for the daemon's closing word after close(). */
const CLOSE_GRACE_MS = 1_000;

export interface ControlStreamHandle {
  /** The handler's result; undefined when close() was called and the daemon gave none in time. */
  readonly done: Promise<unknown>;
  /** Asks the daemon to end the stream; no event is delivered after it. */
  close(): void;
  pause(): void;
  resume(): void;
}

/**
 * Calls a method and resolves with its result; `timeout` in milliseconds covers the whole call.
 * @throws RampartError RAMPART_E_DAEMON_ABSENT, RAMPART_E_PRIVILEGE, RAMPART_E_CONTROL_TIMEOUT,
 *   RAMPART_E_CONTROL_LOST, or the error the daemon answered with.
 */
export async function controlRequest(
  path: string,
  method: string,
  params: unknown = {},
  timeout = 5_000,
): Promise<unknown> {
  const call = new Call(path, method, params, () => {});
  const timer = setTimeout(() => {
    call.fail(
      new RampartError("RAMPART_E_CONTROL_TIMEOUT", `the daemon on ${path} did not answer within ${timeout} ms`, {
        hint: "it may be overloaded or stopped; its log and `systemctl status rampart` tell",
      }),
    );
  }, timeout);
  try {
    return await call.done;
  } finally {
    clearTimeout(timer);
  }
}

/** Calls a streaming method; `onEvent` gets each event in order. Errors as controlRequest, through `done`. */
export function controlStream(
  path: string,
  method: string,
  params: unknown,
  onEvent: (event: unknown) => void,
): ControlStreamHandle {
  return new Call(path, method, params, onEvent);
}

class Call implements ControlStreamHandle {
  readonly done: Promise<unknown>;
  readonly #path: string;
  readonly #socket: Socket;
  readonly #onEvent: (event: unknown) => void;
  #settle: { resolve: (result: unknown) => void; reject: (error: Error) => void } = {
    resolve: () => {},
    reject: () => {},
  };
  #closing = false;

  constructor(path: string, method: string, params: unknown, onEvent: (event: unknown) => void) {
    this.#path = path;
    this.#onEvent = onEvent;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const splitter = new LineSplitter(MAX_MESSAGE_BYTES);
    const socket = connect({ path, allowHalfOpen: true });
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      if (!splitter.push(chunk, (line) => this.#receive(line))) this.fail(this.#lost("it sent a line without end"));
    });
    socket.once("error", (error: NodeJS.ErrnoException) => this.fail(this.#explain(error)));
    socket.once("end", () => this.fail(this.#lost("it hung up")));
    socket.once("close", () => this.fail(this.#lost("it hung up")));
    socket.write(`${JSON.stringify({ id: 1, method, params })}\n`);
  }

  fail(error: RampartError): void {
    if (this.#closing) this.#settle.resolve(undefined);
    else this.#settle.reject(error);
    this.#socket.destroy();
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.resume();
    this.#socket.end();
    const timer = setTimeout(() => this.#succeed(undefined), CLOSE_GRACE_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  pause(): void {
    if (!this.#closing) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #receive(line: string): void {
    const message = parseMessage(line);
    if (message === undefined) return this.fail(this.#lost("it sent something that is no control message"));
    if ("event" in message) {
      if (!this.#closing) this.#onEvent(message.event);
    } else if ("error" in message) {
      const { code, message: text, hint } = message.error;
      this.fail(new RampartError(code, text, hint === undefined ? {} : { hint }));
    } else {
      this.#succeed(message.result);
    }
  }

  #succeed(result: unknown): void {
    this.#settle.resolve(result);
    this.#socket.destroy();
  }

  #lost(why: string): RampartError {
    return new RampartError("RAMPART_E_CONTROL_LOST", `lost the daemon on ${this.#path}: ${why}`, {
      hint: "see whether it still runs: systemctl status rampart",
    });
  }

  #explain(error: NodeJS.ErrnoException): RampartError {
    if (error.code === "EACCES" || error.code === "EPERM") {
      return new RampartError("RAMPART_E_PRIVILEGE", `no right to speak to the daemon on ${this.#path}`, {
        hint: "run this command as the user the daemon runs as, usually with sudo",
        cause: error,
      });
    }
    if (error.code === "ENOENT" || error.code === "ECONNREFUSED" || error.code === "ENOTDIR") {
      return new RampartError("RAMPART_E_DAEMON_ABSENT", `no rampart daemon answers on ${this.#path}`, {
        hint:
          "start it with `rampart run --config FILE` or `systemctl start rampart`, " +
          "or name its socket with --socket",
        cause: error,
      });
    }
    return this.#lost(error.message);
  }
}
