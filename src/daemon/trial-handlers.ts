/** The control methods of `rampart apply` and its kin (control/plan.ts says what they answer). */
import { z } from "zod";
import type { Settings } from "../config/settings.ts";
import type { ApplyPlan, ApplyWhere } from "../control/plan.ts";
import type { ControlHandler } from "../control/stream.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { RampartError } from "../errors/rampart-error.ts";
import { readSshConnection } from "../lint/ssh-session.ts";
import type { NativeBinding } from "../native/binding.ts";
import { planApply } from "./apply-plan.ts";
import type { Enforcer } from "./enforcer.ts";
import type { Trial } from "./trial.ts";

const MOST_SESSIONS = 128;
/** A day: longer is no trial. */
const MOST_SECONDS = 86_400;

const planParams = z.object({
  digest: z.string(),
  /** As sshd writes SSH_CONNECTION. */
  sessions: z.array(z.string()).max(MOST_SESSIONS),
});

const applyParams = z.object({
  digest: z.string(),
  confirmSeconds: z.number().int().min(1).max(MOST_SECONDS).optional(),
});

export interface TrialHandlerSources {
  readonly trial: Trial;
  readonly settings: Settings;
  readonly native: NativeBinding;
  readonly pool: WorkerPool;
  /** undefined: the daemon is still starting. */
  readonly enforcer: () => Enforcer | undefined;
}

export function trialHandlers(sources: TrialHandlerSources): Readonly<Record<string, ControlHandler>> {
  const { trial } = sources;
  return {
    "apply-where": () => where(sources),
    "apply-plan": (params) => plan(sources, read(planParams, params)),
    apply: (params) => {
      const { digest, confirmSeconds } = read(applyParams, params);
      return trial.apply(digest, confirmSeconds);
    },
    confirm: () => trial.confirm(),
    rollback: () => trial.rollback(),
    "apply-done": () => trial.done(),
  };
}

function where({ settings, trial }: TrialHandlerSources): ApplyWhere {
  const { node, stateDirectory, policy } = settings;
  const { confirmation } = trial;
  return {
    node,
    stateDirectory,
    paths: [...policy.paths],
    lenientYaml: policy.lenientYaml,
    ...(confirmation === undefined ? {} : { confirmation }),
  };
}

async function plan(sources: TrialHandlerSources, params: z.infer<typeof planParams>): Promise<ApplyPlan> {
  const { trial, settings, native, pool, enforcer } = sources;
  const { resources: candidate } = await trial.sets.candidate(params.digest);
  const current = enforcer()?.current;
  if (current === undefined) {
    throw new RampartError("RAMPART_E_APPLY_PENDING", "the daemon has not put its first set in force yet", {
      hint: "try again in a moment",
    });
  }
  const sessions = params.sessions.flatMap((text) => readSshConnection(text) ?? []);
  return planApply({ settings, native, current, candidate, sessions, connectionMemory: pool.connectionMemory });
}

function read<T>(schema: z.ZodType<T>, params: unknown): T {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new RampartError("RAMPART_E_CONTROL_PROTOCOL", `the request's parameter "${field}" is not usable`, {
    hint: "daemon and command are of different versions; restart the daemon",
  });
}
