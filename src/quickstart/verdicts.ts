/**
 * What the daemon says it decided, from its log: denied connections are always
 * logged, allowed ones at log level debug. What no line tells of was decided in
 * the kernel, without the daemon: a failsafe port, or a connection it knows.
 */
import type { LogLine, RampartProcess } from "../sandbox/daemon.ts";

export interface Connection {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly source: string;
  readonly destination: string;
  /** undefined for ICMP. */
  readonly port: number | undefined;
}

/** Log lines come a moment after the packet. */
const LOG_DELAY_MS = 1000;
const POLL_MS = 20;

export class Verdicts {
  readonly #rampart: RampartProcess;

  constructor(rampart: RampartProcess) {
    this.#rampart = rampart;
  }

  /** How much has been logged; what `of` finds comes after it. */
  mark(): number {
    return this.#rampart.logs().length;
  }

  /**
   * `allowed by web ingress[0]`, `denied at the end of tier default` and the like; undefined when the daemon did not
   * judge this connection.
   */
  async of(connection: Connection, mark: number, patienceMs = LOG_DELAY_MS): Promise<string | undefined> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const line = this.#rampart.logs().slice(mark).find((candidate) => tellsOf(candidate, connection));
      if (line !== undefined) return describe(line);
      if (Date.now() > deadline) return undefined;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function tellsOf(line: LogLine, connection: Connection): boolean {
  return (
    (line.msg === "denied" || line.msg === "allowed") &&
    line["source"] === connection.source &&
    line["destination"] === connection.destination &&
    String(line["protocol"]).toLowerCase().startsWith(connection.protocol) &&
    (connection.port === undefined || line["destinationPort"] === connection.port)
  );
}

function describe(line: LogLine): string {
  const { msg } = line;
  const policy = line["policy"];
  if (line["reason"] === "end-of-tier") return `${msg} at the end of tier ${String(line["tier"])}`;
  if (policy === undefined) return `${msg}: ${String(line["reason"])}`;
  return `${msg} by ${String(policy)} ${String(line["rule"])}`;
}
