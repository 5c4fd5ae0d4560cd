/**
 * How full the kernel's connection table is. When it is full the kernel drops
 * new connections before any rule sees them, so the two numbers are worth an
 * alert. They are of the reader's network namespace (max is the host's).
 */
import { readFile } from "node:fs/promises";

const DIRECTORY = "/proc/sys/net/netfilter";

/** Undefined when conntrack is not loaded or its numbers are not readable. */
export async function readConntrackUsage(): Promise<{ entries: number; max: number } | undefined> {
  try {
    const [entries, max] = await Promise.all([
      readFile(`${DIRECTORY}/nf_conntrack_count`, "utf8"),
      readFile(`${DIRECTORY}/nf_conntrack_max`, "utf8"),
    ]);
    return { entries: Number(entries), max: Number(max) };
  } catch {
    return undefined;
  }
}
