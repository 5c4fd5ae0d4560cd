/**
 * One client of the control socket. What the daemon holds for it is bounded:
 * one request line, a few requests at work, and an output buffer; events beyond
 * the buffer are refused, and requests are not read while answers are stuck.
 */
import type { Socket } from "node:net";
import { RampartError } from "../errors/rampart-error.ts";
import { LineSplitter } from "./line-splitter.ts";
import {
  type ControlMessage,
  type ControlRequest,
  MAX_MESSAGE_BYTES,
  MAX_REQUEST_BYTES,
  parseRequest,
  toFailure,
} from "./protocol.ts";
import type { ControlHandler, ControlStream } from "./stream.ts";

/** Unsent bytes above which events are refused and no further request is read. */
const OUTPUT_BOUND = 1024 * 1024;
const MAX_REQUESTS_AT_WORK = 8;
/** A connection without a request at work is closed after this long. */
const IDLE_MS = 30_000;
/** Time a refused client has to read why. */
const REFUSED_MS = 1_000;

export class ControlConnection {
  readonly #socket: Socket;
  readonly #handlers: ReadonlyMap<string, ControlHandler>;
  readonly #onInternalError: (method: string, error: unknown) => void;
  readonly #splitter = new LineSplitter(MAX_REQUEST_BYTES);
  readonly #atWork = new Set<number>();
  readonly #closed: Promise<void>;
  #noMoreRequests = false;

  constructor(
    socket: Socket,
    handlers: ReadonlyMap<string, ControlHandler>,
    onInternalError: (method: string, error: unknown) => void,
  ) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#onInternalError = onInternalError;
    this.#closed = new Promise((resolve) => {
      socket.once("end", resolve);
      socket.once("close", () => resolve());
    });
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => socket.resume());
    socket.once("end", () => this.#finish());
    // A client that vanishes is its own affair; "close" follows and ends its streams.
    socket.on("error", () => {});
    socket.setTimeout(IDLE_MS, () => {
      if (this.#atWork.size === 0) socket.destroy();
    });
  }

  #read(chunk: Buffer): void {
    if (this.#noMoreRequests) return;
    const inBounds = this.#splitter.push(chunk, (line) => {
      if (!this.#noMoreRequests) this.#accept(line);
    });
    if (!inBounds) this.#refuse(`a request line has at most ${MAX_REQUEST_BYTES} bytes`);
    if (this.#socket.writableLength > OUTPUT_BOUND) this.#socket.pause();
  }

  #accept(line: string): void {
    const request = parseRequest(line);
    if (request === undefined) {
      this.#refuse('a request is one line of JSON: {"id":1,"method":"status","params":{}}');
    } else if (this.#atWork.has(request.id) || this.#atWork.size >= MAX_REQUESTS_AT_WORK) {
      this.#refuse(`at most ${MAX_REQUESTS_AT_WORK} requests at a time, each with its own id`);
    } else {
      void this.#answer(request);
    }
  }

  async #answer({ id, method, params }: ControlRequest): Promise<void> {
    this.#atWork.add(id);
    const stream: ControlStream = {
      push: (event) => this.#takesEvents() && this.#send({ id, event }),
      closed: this.#closed,
    };
    try {
      const handler = this.#handlers.get(method);
      if (handler === undefined) {
        throw new RampartError("RAMPART_E_CONTROL_METHOD", `the daemon has no method "${method}"`, {
          hint: `it has ${[...this.#handlers.keys()].join(", ")}; is the daemon of an older version?`,
        });
      }
      const result = (await handler(params, stream)) ?? null;
      this.#send({ id, result });
    } catch (error) {
      if (!(error instanceof RampartError)) this.#onInternalError(method, error);
      this.#send({ id, error: toFailure(error) });
    } finally {
      this.#atWork.delete(id);
      this.#finish();
    }
  }

  #takesEvents(): boolean {
    return !this.#socket.readableEnded && this.#socket.writableLength <= OUTPUT_BOUND;
  }

  #refuse(hint: string): void {
    this.#noMoreRequests = true;
    this.#send({
      id: 0,
      error: { code: "RAMPART_E_CONTROL_PROTOCOL", message: "the daemon did not understand the request", hint },
    });
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), REFUSED_MS).unref();
  }

  /** Hangs up at once; running handlers see their stream close. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Once the client has said its last word and every answer is on its way, hang up. */
  #finish(): void {
    if (this.#socket.readableEnded && this.#atWork.size === 0) this.#socket.end();
  }

  #send(message: ControlMessage): boolean {
    if (!this.#socket.writable) return false;
    const line = `${JSON.stringify(message)}\n`;
    if (Buffer.byteLength(line) > MAX_MESSAGE_BYTES) {
      if ("event" in message) return false;
      return this.#send({
        id: message.id,
        error: {
          code: "RAMPART_E_CONTROL_TOO_LARGE",
          message: `the answer is longer than ${MAX_MESSAGE_BYTES} bytes`,
        },
      });
    }
    this.#socket.write(line);
    return true;
  }
}
