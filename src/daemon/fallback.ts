/**
 * What a start enforces when the policy files have errors, best first: the last
 * good set, then what the setting `startup` says. The last of them is always
 * there and never has errors.
 */
import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";
import type { InForce } from "../control/status.ts";
import { formatError } from "../errors/rampart-error.ts";
import { type LoadResult, ResourceLoader } from "../resources/load.ts";
import type { LastGoodStore } from "./last-good-store.ts";
import { loadOptions } from "./load-options.ts";
import { startupSet } from "./startup-set.ts";

export interface Fallback {
  readonly inForce: InForce;
  readonly loaded: LoadResult;
  /** The set knows nothing of open connections: they go on (Enforcer.enforce). */
  readonly spare: boolean;
  /** What is now, for the log. */
  readonly message: string;
}

/** Says in the log why there is no last good set among them. */
export async function fallbacks(settings: Settings, store: LastGoodStore, log: Logger): Promise<Fallback[]> {
  const lastGood = await lastGoodSet(settings, store, log);
  return [...(lastGood === undefined ? [] : [lastGood]), startup(settings)];
}

async function lastGoodSet({ policy }: Settings, store: LastGoodStore, log: Logger): Promise<Fallback | undefined> {
  const stored = await store.read();
  if ("absent" in stored) {
    log.error({ code: "RAMPART_E_LAST_GOOD" }, `there is no last good set: ${store.file} does not exist`);
    return undefined;
  }
  if ("problem" in stored) {
    log.error({ code: stored.problem.code }, formatError(stored.problem));
    return undefined;
  }
  const { texts, savedAt } = stored.set;
  const loaded = new ResourceLoader(loadOptions(policy.lenientYaml)).loadTexts(texts);
  if (loaded.errors.length > 0) {
    for (const error of loaded.errors) log.error({ code: error.code, ...error.location }, formatError(error));
    log.error({ code: "RAMPART_E_LAST_GOOD" }, `${store.file} cannot be used: this version finds errors in it`);
    return undefined;
  }
  const written = savedAt.toISOString();
  const message = `the policy files cannot be enforced: the last good set, written ${written}, is in force`;
  return { inForce: { source: "last-good", savedAt: written }, loaded, spare: false, message };
}

function startup({ startup: mode, node, exemptLoopback }: Settings): Fallback {
  const state = mode === "closed" ? "only failsafe ports are open" : "NOTHING IS PROTECTED";
  const message = `the policy files cannot be enforced, and there is no last good set: startup is ${mode}, ${state}`;
  return { inForce: { source: mode }, loaded: startupSet(mode, node, exemptLoopback), spare: true, message };
}
