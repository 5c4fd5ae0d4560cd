/** The daemon's log: JSON lines, or one readable line each, on standard output. */
import { Writable } from "node:stream";
import { pino, type DestinationStream, type Logger } from "pino";

export function createLogger(options: { readonly level: string; readonly format: "json" | "pretty" }): Logger {
  const destination: DestinationStream = options.format === "json" ? pino.destination({ fd: 1, sync: true }) : readable();
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
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
