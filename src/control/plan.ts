/**
 * What the control methods of `rampart apply` and its kin answer. The schemas
 * are the definitions, checked by the command line, because daemon and command
 * may be of different versions.
 *
 *   apply-where              where a candidate is put, and what the files are
 *   apply-plan {digest, sessions}   what would change with the candidate
 *   apply {digest, confirmSeconds?}   puts it in force; answers when it is
 *   confirm, rollback        of the window that apply opened, or after it
 *   apply-done               the policy files have been written
 */
import { z } from "zod";
import { RampartError } from "../errors/rampart-error.ts";

const count = z.number().int().nonnegative();

/** An unconfirmed set is in force. */
export const confirmation = z.object({ secondsLeft: count, generation: count });

const where = z.object({
  node: z.string(),
  /** Absolute, as the other paths. */
  stateDirectory: z.string(),
  /** policy.paths. */
  paths: z.array(z.string()),
  lenientYaml: z.boolean(),
  confirmation: confirmation.optional(),
});

const cutConnection = z.object({
  protocol: z.string(),
  source: z.string(),
  destination: z.string(),
  sourcePort: count.optional(),
  destinationPort: count.optional(),
  icmpType: count.optional(),
  /** The endpoint that denies it, and by which rule. */
  endpoint: z.string().optional(),
  by: z.string(),
});

const forecast = z.object({
  /** Looked at. */
  connections: count,
  cut: count,
  /** Denied by some of the interfaces they may come by. */
  unsure: count,
  /** By NAT; not judged. */
  translated: count,
  /** The first of those that are cut. */
  listed: z.array(cutConnection),
});

const resourceChange = z.object({
  change: z.enum(["added", "removed", "changed"]),
  kind: z.string(),
  namespace: z.string(),
  name: z.string(),
  tier: z.string().optional(),
  fields: z.array(z.object({ field: z.string(), before: z.string(), after: z.string() })),
});

const plan = z.object({
  changed: count,
  /** The first of the changes. */
  changes: z.array(resourceChange),
  /** Absent with `established: keep`: nothing open is cut. */
  forecast: forecast.optional(),
  /** Why the session would be lost, where it would. */
  locksOut: z.string().optional(),
});

const outcome = z.object({
  generation: count,
  /** Of the set in force, as last-good-format.ts makes it. */
  digest: z.string(),
  /** The policy files hold something else: they are to be written, and `apply-done` called. */
  install: z.boolean(),
  /** The time to confirm it in. */
  secondsLeft: count.optional(),
});

export type Confirmation = z.infer<typeof confirmation>;
export type ApplyWhere = z.infer<typeof where>;
export type CutConnection = z.infer<typeof cutConnection>;
export type Forecast = z.infer<typeof forecast>;
export type ApplyPlan = z.infer<typeof plan>;
export type ApplyOutcome = z.infer<typeof outcome>;

/** @throws RampartError RAMPART_E_CONTROL_VERSION, as do the others. */
export function parseApplyWhere(value: unknown): ApplyWhere {
  return parse(where, value);
}

export function parseApplyPlan(value: unknown): ApplyPlan {
  return parse(plan, value);
}

export function parseApplyOutcome(value: unknown): ApplyOutcome {
  return parse(outcome, value);
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new RampartError("RAMPART_E_CONTROL_VERSION", `the daemon's answer has no usable field "${field}"`, {
    hint: "daemon and command are of different versions; restart the daemon",
  });
}
