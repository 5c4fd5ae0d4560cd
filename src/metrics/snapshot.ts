/**
 * Everything the metrics page shows, read in one go when somebody asks.
 * Counts are totals since the daemon (or, for the kernel's, the rule or queue)
 * began; rows with equal labels add up. Undefined means "cannot be read here".
 */
import type { Direction } from "../resources/types.ts";
import type { ConntrackUsage } from "./conntrack-usage.ts";

interface PacketCount {
  readonly hook: string;
  readonly direction: string;
  readonly verdict: string;
  readonly reason: string;
  readonly count: number;
}

interface PolicyCount {
  readonly direction: Direction;
  readonly tier: string;
  /** Empty for `end-of-tier`. */
  readonly policy: string;
  /** 0-based position in the policy's list of that direction, or "end-of-tier". */
  readonly rule: number | "end-of-tier";
  readonly action: string;
  readonly count: number;
}

/** Decisions of an endpoint that staged policies would have made, or changed. */
interface StagedCount {
  readonly direction: Direction;
  readonly tier: string;
  /** What would have decided; a staged policy begins with `staged:`. Empty where no policy would have. */
  readonly policy: string;
  /** Position in the policy's list, or the reason where no rule would have decided. */
  readonly rule: number | string;
  readonly enforced: string;
  readonly pending: string;
  readonly count: number;
}

interface QueueCount {
  readonly queue: number;
  /** The kernel's own counts (/proc/net/netfilter/nfnetlink_queue). */
  readonly pending: number | undefined;
  readonly kernelDropped: number | undefined;
  readonly userDropped: number | undefined;
  readonly packets: number;
  readonly batches: number;
  readonly enobufs: number;
  readonly truncated: number;
  readonly malformed: number;
  readonly verdictErrors: number;
  readonly unanswered: number;
}

export interface MetricsSnapshot {
  readonly version: string;
  readonly generation: number;
  readonly ready: boolean;
  readonly packets: readonly PacketCount[];
  readonly policy: readonly PolicyCount[];
  readonly staged: readonly StagedCount[];
  readonly parseFailures: readonly { readonly failure: string; readonly count: number }[];
  readonly queues: readonly QueueCount[];
  /** Whether queues are read: packets of our own that are sent through each, and the life of its reader's thread. */
  readonly canaries: readonly {
    readonly queue: number;
    readonly missed: number;
    readonly roundTripSeconds: number | undefined;
    readonly heartbeatAgeSeconds: number;
  }[];
  /** Packets that came back with our verdict mark on them, because the hooks were not in place. */
  readonly returned: number;
  /** Bytes of the memory that tables are in. */
  readonly tables: { readonly used: number; readonly free: number };
  readonly flows: { readonly active: number; readonly capacity: number; readonly evicted: number };
  /** Without offload: connections userspace tracks, and those that made room for others, by stage. */
  readonly connections: readonly { readonly stage: string; readonly active: number; readonly evicted: number }[];
  /** Packets the kernel rules handled by themselves: fast path, failsafe, invalid, … */
  readonly kernelRules: readonly { readonly family: 4 | 6; readonly rule: string; readonly packets: number }[];
  readonly conntrack: ConntrackUsage | undefined;
  /** Packets the hooks have queued that no reader has seen: they wait, or a full queue lost them. An estimate. */
  readonly unread: number;
  /** Lines the log had no room for. */
  readonly log: { readonly dropped: number };
  readonly reloads: { readonly ok: number; readonly failed: number };
  readonly lastReload: { readonly unixSeconds: number; readonly ok: boolean };
  /** Decision events (the denied log, the tap) that a full ring lost; never a verdict. */
  readonly events: { readonly lost: number };
  readonly tap: { readonly subscribers: number; readonly lost: number };
  /** What is in force in place of policy files with errors; undefined: they are. */
  readonly fallback: "last-good" | "closed" | "open" | undefined;
  /** A set on trial: the time to confirm it in, undefined if there is none; and how earlier trials ended. */
  readonly trial: {
    readonly secondsLeft: number | undefined;
    readonly ended: Readonly<Record<"confirmed" | "expired" | "asked", number>>;
  };
  /** The set in force as it is kept on disk. */
  readonly lastGood: { readonly stored: boolean; readonly failures: number };
  /** Verifications of the kernel rules, by what led to them, and those that found them changed and put them back. */
  readonly hooks: {
    readonly byCause: readonly { readonly cause: string; readonly verifications: number; readonly repairs: number }[];
    readonly unfilteredSeconds: number;
  };
}
