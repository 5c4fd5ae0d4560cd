/**
 * Where log lines go: a file descriptor that may be slow, or that nobody reads.
 * A write never waits for it: what cannot be written at once is kept, up to a
 * bound, and beyond that lines are dropped and counted. So neither the control
 * plane nor the process's end hangs on a log.
 */
import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { pino } from "pino";

/** Bytes that are kept. */
const ROOM = 1024 * 1024;

export interface LogOutput {
  /** Lines dropped so far. */
  readonly dropped: number;
  /** One line, with its newline. Never throws. */
  write(line: string): void;
}

/** An output to the descriptor `fd`, which stays open. */
export function openLogOutput(fd: number): LogOutput {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) return new StreamOutput(fd);
  return new FileOutput(fd, stat.isFile());
}

/** A file is written by another thread, because a disk makes its writer wait; a terminal by this one. */
class FileOutput implements LogOutput {
  dropped = 0;
  readonly #file: ReturnType<typeof pino.destination>;

  constructor(fd: number, slow: boolean) {
    this.#file = pino.destination({ fd, sync: !slow, maxLength: slow ? ROOM : 0 });
    this.#file.on("drop", () => this.dropped++);
    this.#file.on("error", () => this.dropped++);
    if (slow) process.once("exit", () => this.#file.flushSync());
  }

  write(line: string): void {
    this.#file.write(line);
  }
}

/** The kernel tells whether there is room, so a line is out at once wherever somebody reads. */
class StreamOutput implements LogOutput {
  dropped = 0;
  readonly #socket: Socket;
  #broken = false;

  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: false, writable: true });
    this.#socket.on("error", () => {
      this.#broken = true;
    });
    this.#socket.unref();
  }

  write(line: string): void {
    if (this.#broken || this.#socket.writableLength + line.length > ROOM) this.dropped++;
    else this.#socket.write(line);
  }
}
