/** What would change if a candidate was put in force: resources, live connections, and the session it is asked from. */
import { parseAddress } from "../address/address.ts";
import type { ApplyPlan } from "../control/plan.ts";
import type { Settings } from "../config/settings.ts";
import { lintLocksOut } from "../lint/locks-out.ts";
import type { SshSession } from "../lint/ssh-session.ts";
import type { NativeBinding } from "../native/binding.ts";
import { diffSets } from "../policy/set-diff.ts";
import type { ResourceSet } from "../resources/types.ts";
import { compileTables } from "../tables/compile.ts";
import { forecastConnections, type JudgedSet } from "./connection-forecast.ts";
import { endpointScope } from "./endpoint-scope.ts";
import { type Enforced, localEndpoints, walkSettings } from "./enforcer.ts";

/** Changes told one by one; of the others there is the count. */
const LISTED = 1000;
/** Of no consequence: nothing is put in force under it. */
const GENERATION = 1;

export interface PlanQuestion {
  readonly settings: Settings;
  readonly native: NativeBinding;
  readonly current: Enforced;
  readonly candidate: ResourceSet;
  /** Those that must not be lost. */
  readonly sessions: readonly SshSession[];
  readonly connectionMemory: readonly SharedArrayBuffer[];
}

export async function planApply(question: PlanQuestion): Promise<ApplyPlan> {
  const { settings, native, current, candidate, sessions, connectionMemory } = question;
  const { node, exemptLoopback } = settings;
  const changes = diffSets(current.resources, candidate);
  const links = native.listInterfaces();
  const interfaces = links.map(({ name, addresses }) => ({
    name,
    addresses: addresses.flatMap((text) => parseAddress(text) ?? []),
  }));
  const [lockOut] = sessions.flatMap((session) => lintLocksOut(candidate, { node, interfaces, session }));
  const plan = {
    changed: changes.length,
    changes: changes.slice(0, LISTED).map((each) => ({ ...each, fields: [...each.fields] })),
    ...(lockOut === undefined ? {} : { locksOut: lockOut.message }),
  };
  if (settings.established === "keep") return plan;
  const compilation = compileTables(candidate, localEndpoints(candidate, node), node, GENERATION);
  const now: JudgedSet = {
    compilation: current.compilation,
    scope: endpointScope(current.resources, node, links, current.compilation, exemptLoopback),
    walk: walkSettings(current.resources, node, current.hooks),
  };
  const then: JudgedSet = {
    compilation,
    scope: endpointScope(candidate, node, links, compilation, exemptLoopback),
    walk: walkSettings(candidate, node, current.hooks),
  };
  const forecast = await forecastConnections({ current: now, candidate: then, links, native, connectionMemory });
  return { ...plan, forecast };
}
