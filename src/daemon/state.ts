/** What the daemon knows of itself, for status, metrics and readiness. */
import type { Settings } from "../config/settings.ts";
import type { DaemonStatus, InForce } from "../control/status.ts";
import type { Enforced } from "./enforcer.ts";
import { governedInterfaces } from "./endpoint-scope.ts";
import { endpointLabel } from "./packet-record.ts";

type Phase = DaemonStatus["state"];

export class DaemonState {
  phase: Phase = "starting";
  hookProblems: readonly string[] = [];
  /** Queues that nobody seems to read. */
  queueProblems: () => readonly string[] = () => [];
  readonly settings: Settings;
  readonly #began = performance.now();
  #generation = 0;
  #policies = 0;
  #stagedPolicies = 0;
  #endpoints: DaemonStatus["endpoints"] = [];
  #warnings: readonly string[] = [];
  #lastReload: DaemonStatus["lastReload"] = { at: new Date().toISOString(), ok: false, durationMs: 0, errors: [] };
  #reloads = { ok: 0, failed: 0 };
  #inForce: InForce = { source: "files" };

  constructor(settings: Settings) {
    this.settings = settings;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Enforced ones. */
  get policies(): number {
    return this.#policies;
  }

  get stagedPolicies(): number {
    return this.#stagedPolicies;
  }

  get endpoints(): DaemonStatus["endpoints"] {
    return this.#endpoints;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  get lastReload(): DaemonStatus["lastReload"] {
    return this.#lastReload;
  }

  get reloads(): { readonly ok: number; readonly failed: number } {
    return this.#reloads;
  }

  get inForce(): InForce {
    return this.#inForce;
  }

  get uptimeSeconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** `readAt` is when reading the set began: what was written later is not in it. */
  enforced(enforced: Enforced, durationMs: number, warnings: readonly string[], readAt = new Date()): void {
    this.#warnings = warnings;
    this.#lastReload = { at: readAt.toISOString(), ok: true, durationMs, errors: [] };
    this.#reloads.ok++;
    this.#inForce = { source: "files" };
    this.followed(enforced);
  }

  /** The policy files have `errors`; what is in force instead comes from elsewhere. */
  fellBack(enforced: Enforced, inForce: InForce, warnings: readonly string[], errors: readonly string[]): void {
    this.#warnings = warnings;
    this.#inForce = inForce;
    this.reloadFailed(errors);
    this.followed(enforced);
  }

  /** The policy files were read and hold what is in force. */
  filesAgain(readAt = new Date()): void {
    this.#inForce = { source: "files" };
    this.#lastReload = { at: readAt.toISOString(), ok: true, durationMs: 0, errors: [] };
  }

  /** The same policies, on other interfaces perhaps. */
  followed(enforced: Enforced): void {
    this.#generation = enforced.compilation.tables.generation;
    const { policies } = enforced.resources;
    this.#stagedPolicies = policies.filter((policy) => policy.staged).length;
    this.#policies = policies.length - this.#stagedPolicies;
    const interfaces = governedInterfaces(enforced.scope, enforced.compilation, enforced.links);
    this.#endpoints = enforced.compilation.endpoints.map((endpoint, index) => ({
      name: endpointLabel(endpoint) ?? "",
      interfaces: interfaces[index],
    }));
  }

  reloadFailed(errors: readonly string[], readAt = new Date()): void {
    this.#lastReload = { at: readAt.toISOString(), ok: false, durationMs: 0, errors: [...errors] };
    this.#reloads.failed++;
  }

  /** Ready: a set is in force and its hooks are in place; degraded where it is not that of the policy files. */
  readiness(): { readonly ready: boolean; readonly reason?: string; readonly degraded?: string } {
    if (this.phase !== "enforcing") return { ready: false, reason: this.phase };
    const problems = [...this.hookProblems, ...this.queueProblems()];
    if (problems.length > 0) return { ready: false, reason: problems.join("; ") };
    const { source } = this.#inForce;
    if (source === "open") return { ready: false, reason: DEGRADED.open };
    return source === "files" ? { ready: true } : { ready: true, degraded: DEGRADED[source] };
  }
}

const DEGRADED = {
  "last-good": "the policy files have errors; the last good set is in force",
  closed: "the policy files have errors and there is no last good set; only failsafe ports are open",
  open: "the policy files have errors and there is no last good set; nothing is protected (startup: open)",
} as const;
