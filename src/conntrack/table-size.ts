/** How full the kernel's connection table is; a full one drops new connections before any policy sees them. */
import { readFileSync } from "node:fs";

export interface ConntrackTableSize {
  readonly entries: number;
  readonly max: number;
}

/** Undefined where connection tracking is not loaded in this network namespace. */
export function readConntrackTableSize(): ConntrackTableSize | undefined {
  try {
    return { entries: readCount("nf_conntrack_count"), max: readCount("nf_conntrack_max") };
  } catch {
    return undefined;
  }
}

function readCount(name: string): number {
  return Number(readFileSync(`/proc/sys/net/netfilter/${name}`, "utf8"));
}
