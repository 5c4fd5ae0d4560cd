/**
 * How full the kernel's connection table is, and what it has refused since
 * boot. When it is full the kernel drops new connections before any rule sees
 * them, so the numbers are worth an alert. They are of the reader's network
 * namespace (max is the host's).
 */
import { readFile } from "node:fs/promises";

const DIRECTORY = "/proc/sys/net/netfilter";
/** A line of column names, then a line of hexadecimal numbers for each core. */
const STATISTICS = "/proc/net/stat/nf_conntrack";

export interface ConntrackUsage {
  readonly entries: number;
  readonly max: number;
  /** Packets of new connections dropped because the table was full and nothing in it could be given up. */
  readonly dropped: number | undefined;
  /** Connections that were not answered yet and were given up for new ones. */
  readonly evicted: number | undefined;
  /** Packets dropped because their connection could not be entered: mostly two packets of one in a race. */
  readonly insertFailed: number | undefined;
}

/** Undefined when conntrack is not loaded or its numbers are not readable; statistics need a kernel that has them. */
export async function readConntrackUsage(): Promise<ConntrackUsage | undefined> {
  try {
    const [entries, max, statistics] = await Promise.all([
      readFile(`${DIRECTORY}/nf_conntrack_count`, "utf8"),
      readFile(`${DIRECTORY}/nf_conntrack_max`, "utf8"),
      readFile(STATISTICS, "utf8").catch(() => ""),
    ]);
    const sums = sumColumns(statistics);
    return {
      entries: Number(entries),
      max: Number(max),
      dropped: sums.get("drop"),
      evicted: sums.get("early_drop"),
      insertFailed: sums.get("insert_failed"),
    };
  } catch {
    return undefined;
  }
}

/** Column name to its sum over all cores. */
export function sumColumns(text: string): ReadonlyMap<string, number> {
  const [header, ...rows] = text.trim().split("\n").map((line) => line.trim().split(/\s+/));
  if (header === undefined || rows.length === 0) return new Map();
  const sum = (column: number): number => rows.reduce((total, row) => total + parseInt(row[column] ?? "0", 16), 0);
  return new Map(header.map((name, column) => [name, sum(column)]));
}
