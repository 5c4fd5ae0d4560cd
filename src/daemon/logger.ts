/** The daemon's log: JSON lines, or one readable line each. */
import { pino, type Logger } from "pino";
import type { LogOutput } from "./log-output.ts";

export function createLogger(
  options: { readonly level: string; readonly format: "json" | "pretty" },
  output: LogOutput,
): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.format === "json" ? output : { write: (line) => output.write(readable(line)) },
  );
}

function readable(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields).map(([key, value]) => ` ${key}=${text(value)}`);
  return `${String(time)} ${String(level).padEnd(5)} ${String(msg)}${details.join("")}\n`;
}

function text(value: unknown): string {
  return typeof value === "string" && !/[\s"=]/.test(value) ? value : JSON.stringify(value);
}
