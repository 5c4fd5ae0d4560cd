/** The daemon's log: JSON lines, or one readable line each, on standard output. */
import { Writable } from "node:stream";
import pino, { type Logger } from "pino";

export function createLogger(options: { readonly level: string; readonly format: "json" | "pretty" }): Logger {
  const base = { level: options.level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  if (options.format === "json") {
    return pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, pino.destination({ fd: 1, sync: true }));
  }
  return pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, readable());
}

function readable(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { time, level, msg, ...fields } = JSON.parse(chunk.toString()) as Record<string, unknown>;
      const details = Object.entries(fields).map(([key, value]) => ` ${key}=${text(value)}`);
      process.stdout.write(`${String(time)} ${String(level).padEnd(5)} ${String(msg)}${details.join("")}\n`, () => done());
    },
  });
}

function text(value: unknown): string {
  return typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}
