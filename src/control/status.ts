/**
 * What the control method "status" answers. The schema is the one definition:
 * the daemon's type is inferred from it, and the command line checks with it,
 * because the two may be of different versions for a while after an upgrade.
 */
import { z } from "zod";
import { RampartError } from "../errors/rampart-error.ts";
import { confirmation } from "./plan.ts";

const counter = z.number().int().nonnegative();

const schema = z.object({
  version: z.string(),
  pid: z.number().int(),
  node: z.string(),
  state: z.enum(["starting", "enforcing", "stopping"]),
  uptimeSeconds: z.number(),
  generation: counter,
  failOpen: z.boolean(),
  /** Enforced ones. */
  policies: counter,
  /** Staged policies, and decisions they would have turned round; absent from a daemon that does not know them. */
  staged: z.object({ policies: counter, wouldDeny: counter, wouldAllow: counter }).optional(),
  endpoints: z.array(z.object({ name: z.string(), interfaces: z.array(z.string()) })),
  hooks: z.object({ variant: z.string(), families: z.array(z.string()), problems: z.array(z.string()) }),
  queues: z.array(
    z.object({
      queue: counter,
      /** Packets this process has read from the queue. */
      packets: counter,
      /** The kernel's own counts; null where /proc/net/netfilter/nfnetlink_queue is not readable. */
      pending: counter.nullable(),
      kernelDropped: counter.nullable(),
      userDropped: counter.nullable(),
      enobufs: counter,
    }),
  ),
  packets: z.object({ accepted: counter, dropped: counter, rejected: counter }),
  /** Decided flows the daemon holds. */
  flows: counter,
  lastReload: z.object({
    /** ISO 8601, UTC. */
    at: z.string(),
    ok: z.boolean(),
    durationMs: z.number(),
    errors: z.array(z.string()),
  }),
  /** What is in force; absent from a daemon that starts only with good files. */
  inForce: z
    .object({
      source: z.enum(["files", "last-good", "closed", "open"]),
      /** Of the last good set: when it was written, ISO 8601, UTC. */
      savedAt: z.string().optional(),
    })
    .optional(),
  /** A set is in force on trial, and rolled back when the time is up; absent where none is. */
  confirmation: confirmation.optional(),
  warnings: z.array(z.string()),
});

export type DaemonStatus = z.infer<typeof schema>;
/** Where the set in force comes from: the policy files, or what a start with errors in them fell back to. */
export type InForce = NonNullable<DaemonStatus["inForce"]>;

/** Checks a daemon's answer. @throws RampartError RAMPART_E_CONTROL_VERSION if it has another shape. */
export function parseDaemonStatus(value: unknown): DaemonStatus {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new RampartError("RAMPART_E_CONTROL_VERSION", `the daemon's status has no usable field "${field}"`, {
    hint: "daemon and command are of different versions; restart the daemon, or use --json",
  });
}
