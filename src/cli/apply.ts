/**
 * `rampart apply` and `rampart diff`: a policy set checked, compared with what
 * is in force, and put in force; for good, or until it is confirmed. Exit
 * status 1: nothing was changed; 3: it would cut the session it is run from.
 */
import { createInterface } from "node:readline/promises";
import { type Command, InvalidArgumentError } from "commander";
import { type ApplyPlan, parseApplyOutcome, parseApplyPlan, parseApplyWhere } from "../control/plan.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { stageCandidate } from "./candidate.ts";
import { callDaemon, type DaemonOptions, withDaemonOptions } from "./daemon-call.ts";
import { ownSessions } from "./own-session.ts";
import { planPage } from "./plan-page.ts";
import { installPolicyFiles } from "./policy-files.ts";

const LOCKED_OUT_STATUS = 3;
const MOST_SECONDS = 86_400;

interface DiffOptions extends DaemonOptions {
  readonly json?: boolean;
  readonly session?: string;
}

interface ApplyOptions extends DiffOptions {
  readonly confirm?: number;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

export function registerApply(program: Command): void {
  withDaemonOptions(program.command("apply"))
    .description("check a policy set, show what it changes, and put it in force")
    .argument("[path]", "a whole policy set, which becomes the policy files (default: the policy files as they are)")
    .option("--confirm <time>", "roll back unless `rampart confirm` comes in time, such as 60s or 5m", seconds)
    .option("-y, --yes", "do not ask on a terminal")
    .option("--force", "also when the session this is run from would be cut")
    .option("--dry-run", "only show what would change")
    .option("--session <session>", "SRC:PORT-DST:PORT, the session that must not be cut (default: found by itself)")
    .action(apply);
  withDaemonOptions(program.command("diff"))
    .description("show what `rampart apply` would change; changes nothing")
    .argument("[path]", "as for apply")
    .option("--json", "as JSON")
    .option("--session <session>", "as for apply")
    .action(diff);
}

async function diff(path: string | undefined, options: DiffOptions): Promise<void> {
  const { plan } = await planFor(path, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify(plan, undefined, 2)}\n`);
  else process.stdout.write(planPage(plan));
  if (plan.locksOut !== undefined) process.stderr.write(`${formatError(lockedOut(plan.locksOut))}\n`);
}

async function apply(path: string | undefined, options: ApplyOptions): Promise<void> {
  const { where, digest, plan } = await planFor(path, options);
  process.stdout.write(planPage(plan));
  if (plan.locksOut !== undefined) {
    process.stderr.write(`${formatError(lockedOut(plan.locksOut))}\n`);
    if (options.force !== true) {
      process.exitCode = LOCKED_OUT_STATUS;
      return;
    }
  }
  if (options.dryRun === true) return;
  if (options.yes !== true && process.stdin.isTTY && !(await agreed())) {
    process.stdout.write("nothing was changed\n");
    process.exitCode = 1;
    return;
  }
  const params = { digest, ...(options.confirm === undefined ? {} : { confirmSeconds: options.confirm }) };
  const outcome = parseApplyOutcome(await callDaemon(options, "apply", params));
  process.stdout.write(`generation ${outcome.generation} in force\n`);
  if (outcome.secondsLeft !== undefined) {
    process.stdout.write(`it is rolled back in ${outcome.secondsLeft} s unless \`rampart confirm\` comes before\n`);
  } else if (options.confirm !== undefined) {
    process.stdout.write("it was in force before, so there is nothing to confirm\n");
  }
  await installPolicyFiles(options, where, outcome);
}

async function planFor(path: string | undefined, options: DiffOptions) {
  const sessions = ownSessions(options.session);
  const where = parseApplyWhere(await callDaemon(options, "apply-where"));
  const digest = await stageCandidate(path, where);
  const plan: ApplyPlan = parseApplyPlan(await callDaemon(options, "apply-plan", { digest, sessions }));
  if (sessions.length === 0) {
    const unknown = "no SSH session was found that this command is run from, so none is looked after";
    const hint = "if you work over the network, name it with --session SRC:PORT-DST:PORT, or use --confirm";
    process.stderr.write(`${formatError(new RampartError("RAMPART_W_SESSION_UNKNOWN", unknown, { hint }))}\n`);
  }
  return { where, digest, plan };
}

function lockedOut(message: string): RampartError {
  return new RampartError("RAMPART_E_LOCKS_OUT", message, {
    hint: "allow the session, or --force it, best with --confirm so that it is rolled back if you cannot confirm",
  });
}

async function agreed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question("apply it? [y/N] ")).trim());
  } finally {
    terminal.close();
  }
}

function seconds(text: string): number {
  const [, number, unit = "s"] = /^(\d+)([smh]?)$/.exec(text) ?? [];
  const value = Number(number) * { s: 1, m: 60, h: 3600 }[unit === "" ? "s" : (unit as "s" | "m" | "h")];
  if (value >= 1 && value <= MOST_SECONDS) return value;
  throw new InvalidArgumentError("it must be a time such as 60s, 5m or 1h, at most a day.");
}
