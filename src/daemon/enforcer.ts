/**
 * Brings a policy set into force, one at a time, in the order that loses and
 * leaks nothing (docs/architecture.md, "A policy change"):
 *
 *   compile g+1 -> free its number in conntrack -> workers -> hooks
 *
 * Until the hooks are replaced the kernel goes on with g; when a step fails,
 * the workers get the tables of g back and nothing has changed.
 */
import { freeGeneration, sweepConnectionMarks } from "../conntrack/mark-sweep.ts";
import type { WorkerPool } from "../datapath/worker-pool.ts";
import { formatCidr } from "../address/address.ts";
import { HostAction, type WalkSettings } from "../datapath/published.ts";
import { RampartError } from "../errors/rampart-error.ts";
import type { HookInstaller } from "../hooks/apply.ts";
import type { HookConfig, Tunnels } from "../hooks/hook-config.ts";
import type { MarkLayout } from "../hooks/marks.ts";
import type { NativeBinding, NativeInterface } from "../native/binding.ts";
import { deniedTunnels } from "../policy/encapsulation.ts";
import { effectiveFelix, type EffectiveFelix } from "../policy/failsafe.ts";
import { openPorts } from "../policy/open-ports.ts";
import { tunnelEnds } from "../policy/tunnel-ends.ts";
import type { Endpoint, ResourceSet } from "../resources/types.ts";
import type { Compilation } from "../tables/compiled.ts";
import { TableCompiler } from "../tables/compile.ts";
import type { Settings } from "../config/settings.ts";
import { carryConnectionsOver } from "./carry-over.ts";
import { endpointScope, type EndpointScope } from "./endpoint-scope.ts";

/** A policy set in force. */
export interface Enforced {
  readonly resources: ResourceSet;
  readonly compilation: Compilation;
  readonly scope: EndpointScope;
  readonly hooks: HookConfig;
  readonly felix: EffectiveFelix;
  readonly links: readonly NativeInterface[];
  /** Open connections go on unasked; see `enforce`. */
  readonly spare: boolean;
}

export interface EnforcerOptions {
  readonly settings: Settings;
  readonly marks: MarkLayout;
  readonly native: NativeBinding;
  readonly pool: WorkerPool;
  readonly installer: HookInstaller;
  /** Tables were replaced; `hits` are its final counts (datapath/hit-counts.ts). */
  readonly onRetired: (retired: Compilation, hits: Float64Array) => void;
  /** Tables are with the workers, and the hooks are about to follow. */
  readonly onPublished: () => Promise<void>;
  /** The kernel took the hooks only without the rules of the second lane. */
  readonly onSecondLaneRefused: (error: unknown) => void;
  /** Live connections could not be carried over; they are judged by their next packet. */
  readonly onCarryOverFailed: (error: unknown) => void;
}

export class Enforcer {
  readonly #options: EnforcerOptions;
  readonly #compiler = new TableCompiler();
  #current: Enforced | undefined;
  #previous: Enforced | undefined;
  /** With the workers, but not yet in force in the kernel. */
  #pending: Compilation | undefined;
  #generation = 0;
  /** The generation in force before that one, at a start that of an earlier daemon's hooks; 0: none. */
  #before = 0;
  /** No hooks were there when this daemon came: until the next change, older connections are picked up. */
  #adoptOlder = false;
  /** DNAT of local packets was seen; it is not looked for again. */
  #outputNat = false;
  /** Counts enforce() calls. */
  #changes = 0;
  /** Another process has the queues and the hooks. */
  #handedOver = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: EnforcerOptions) {
    this.#options = options;
  }

  get current(): Enforced | undefined {
    return this.#current;
  }

  /** The compilation a generation number was decided under, while it is one of the last two. */
  compilationOf(generation: number): Compilation | undefined {
    const known = [this.#pending, this.#current?.compilation, this.#previous?.compilation];
    return known.find((compilation) => compilation?.tables.generation === generation);
  }

  /**
   * Puts `resources` in force. With `spare`, for a first set that knows no policy, connections that were open before
   * go on: what the hooks of an earlier daemon have allowed, under their generation; without such hooks what conntrack
   * calls established. @throws when a step failed; then what was in force still is.
   */
  enforce(resources: ResourceSet, { spare = false }: { readonly spare?: boolean } = {}): Promise<Enforced> {
    this.#changes++;
    const enforced = this.#serially(() => this.#enforce(resources, spare));
    this.#serially(() => this.#carryOver(), () => undefined).catch(this.#options.onCarryOverFailed);
    return enforced;
  }

  /** Resolves when nothing that was begun is under way any more. */
  async settled(): Promise<void> {
    this.#changes++;
    await this.#queue;
  }

  /** Links or addresses changed: follow them. Resolves to true when other endpoints govern now. */
  followInterfaces(): Promise<boolean> {
    const follow = async (): Promise<boolean> => {
      const current = this.#current;
      if (current === undefined) return false;
      const links = this.#options.native.listInterfaces();
      const scope = this.#scope(current.resources, current.compilation, links);
      const governs = JSON.stringify([...scope.roles]) !== JSON.stringify([...current.scope.roles]);
      const sameHooks = JSON.stringify(hookScopes(scope)) === JSON.stringify(hookScopes(current.scope));
      if (sameHooks && !changesKnownInterface(current, scope, links)) {
        this.#options.pool.setInterfaces(scope.interfaces);
        this.#current = { ...current, scope, links };
      } else await this.#enforce(current.resources, current.spare);
      return governs;
    };
    return this.#serially(follow, () => false);
  }

  /**
   * Puts the hooks of the set in force right where they are not; `onFound` is told of it before. Resolves to what was
   * wrong, undefined when no set is in force, or the hooks are another process's.
   */
  repairHooks(onFound: (problems: readonly string[]) => void): Promise<readonly string[] | undefined> {
    return this.#serially(
      async () => {
        if (this.#current === undefined) return undefined;
        return this.#options.installer.repair(this.#current.hooks, onFound);
      },
      () => undefined,
    );
  }

  /** Follows another program that has begun to DNAT local packets. Resolves to true when it changed the hooks. */
  followOutputNat(): Promise<boolean> {
    const follow = async (): Promise<boolean> => {
      const current = this.#current;
      if (current === undefined || current.hooks.outputNat || !(await this.#knowsOutputNat())) return false;
      const hooks = { ...current.hooks, outputNat: true };
      await this.#options.installer.apply(hooks);
      this.#current = { ...current, hooks };
      return true;
    };
    return this.#serially(follow, () => false);
  }

  /**
   * Nothing changes while `work` hands the queues to another process. When it resolves to true, the other one has the
   * hooks, too, and nothing is changed by this one any more; otherwise they are put right first of all.
   */
  handOver(work: () => Promise<boolean>): Promise<void> {
    this.#changes++;
    return this.#serially(async () => {
      this.#handedOver = await work();
      if (!this.#handedOver && this.#current !== undefined) {
        await this.#options.installer.repair(this.#current.hooks, () => {});
      }
    });
  }

  /** With conntrack in use anyway, nobody need look: the hooks ask it. */
  async #knowsOutputNat(): Promise<boolean> {
    const { settings, installer } = this.#options;
    this.#outputNat ||= settings.datapath.offload === "connmark" || (await installer.outputNat());
    return this.#outputNat;
  }

  /**
   * Runs after everything that was begun before, so that two changes never interleave. Once another process has the
   * hooks, work that nobody asked for is passed over with what `instead` says.
   */
  #serially<T>(work: () => Promise<T>, instead?: () => T): Promise<T> {
    const result = this.#queue.then(() => {
      if (!this.#handedOver) return work();
      if (instead !== undefined) return instead();
      throw new RampartError("RAMPART_E_HANDED_OVER", "another process has taken over", { hint: "ask that one" });
    });
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /** Gives live connections that stay allowed the new generation before they ask for it. */
  async #carryOver(): Promise<void> {
    if (this.#options.settings.datapath.offload === "none") return;
    const current = this.#current;
    const from = this.#before;
    if (current === undefined || from === 0) return;
    const { native, marks } = this.#options;
    const { compilation, links } = current;
    if (compilation.tables.generation === from) return;
    const changes = this.#changes;
    await carryConnectionsOver({ native, marks, compilation, links, from, superseded: () => this.#changes !== changes });
  }

  async #enforce(resources: ResourceSet, spare: boolean): Promise<Enforced> {
    const { native, pool, settings, marks } = this.#options;
    const generation = await (spare ? this.#sameGeneration() : this.#freshGeneration());
    const endpoints = localEndpoints(resources, settings.node);
    const compilation = this.#compiler.compile(resources, endpoints, settings.node, generation);
    const links = native.listInterfaces();
    const scope = this.#scope(resources, compilation, links);
    const outputNat = await this.#knowsOutputNat();
    const spareOlder = spare && this.#adoptOlder && settings.datapath.offload === "connmark";
    const now = { generation, adoptOlder: this.#adoptOlder, spareOlder, outputNat };
    const wanted = hookConfig(settings, marks, resources, scope, now);
    const replaced = this.#current;
    let hits: Float64Array;
    let hooks: HookConfig;
    this.#pending = compilation;
    try {
      hits = await pool.publish(compilation, scope.interfaces, walkSettings(resources, settings.node, wanted));
      await this.#options.onPublished();
      hooks = await this.#applyHooks(wanted);
    } catch (error) {
      if (replaced !== undefined) {
        const { compilation: before, scope: scopeBefore, resources: resourcesBefore, hooks: hooksBefore } = replaced;
        await pool.publish(before, scopeBefore.interfaces, walkSettings(resourcesBefore, settings.node, hooksBefore));
      }
      throw error;
    } finally {
      this.#pending = undefined;
    }
    if (replaced !== undefined) this.#options.onRetired(replaced.compilation, hits);
    this.#before = this.#generation;
    this.#generation = generation;
    this.#previous = replaced;
    const felix = effectiveFelix(resources, settings.node);
    this.#current = { resources, compilation, scope, hooks, felix, links, spare };
    return this.#current;
  }

  /** Resolves to what is in force: no second lane where only its rules are refused, for want of xt_hashlimit. */
  async #applyHooks(wanted: HookConfig): Promise<HookConfig> {
    const { installer, onSecondLaneRefused } = this.#options;
    try {
      await installer.apply(wanted);
      return wanted;
    } catch (error) {
      const { secondLane, ...queue } = wanted.queue;
      if (secondLane === undefined) throw error;
      const hooks = { ...wanted, queue };
      await installer.apply(hooks).catch(() => {
        throw error;
      });
      onSecondLaneRefused(error);
      return hooks;
    }
  }

  /** The generation that is in the hooks: what it has allowed goes on. The first one, where there is none. */
  async #sameGeneration(): Promise<number> {
    const { installer, settings } = this.#options;
    if (settings.datapath.offload === "none") return this.#freshGeneration();
    if (this.#generation === 0) this.#generation = (await installer.installedGeneration()) ?? 0;
    return this.#generation === 0 ? this.#freshGeneration() : this.#generation;
  }

  /** The policy that follows a set that spared what it found meets it as a first policy does. */
  get #afterSparing(): boolean {
    const before = this.#current;
    return before?.spare === true && (this.#adoptOlder || !before.scope.local.wildcard);
  }

  /** The next generation number, with no connection left that carries it from an earlier round. */
  async #freshGeneration(): Promise<number> {
    const { marks, native, installer, settings } = this.#options;
    if (settings.datapath.offload === "none") {
      // No connection carries a generation; those of before a start are picked up until the first change.
      this.#adoptOlder = this.#generation === 0 || this.#afterSparing;
      return marks.nextGeneration(this.#generation);
    }
    if (this.#generation === 0) {
      const installed = await installer.installedGeneration();
      if (installed === undefined) {
        await sweepConnectionMarks(native, marks);
        this.#adoptOlder = true;
        return 1;
      }
      this.#generation = installed;
    }
    this.#adoptOlder = this.#afterSparing;
    const next = marks.nextGeneration(this.#generation);
    // From an earlier round, or from a change with this number that failed half way.
    await freeGeneration(native, marks, next);
    return next;
  }

  #scope(resources: ResourceSet, compilation: Compilation, links: readonly NativeInterface[]): EndpointScope {
    const { node, exemptLoopback } = this.#options.settings;
    return endpointScope(resources, node, links, compilation, exemptLoopback);
  }
}

/** The endpoints of this node: what the tables have programs for. */
export function localEndpoints(resources: ResourceSet, node: string): Endpoint[] {
  return [...resources.hostEndpoints, ...resources.workloadEndpoints].filter((endpoint) => endpoint.node === node);
}

/** What the hooks of a policy set depend on. */
export function hookConfig(
  settings: Settings,
  marks: MarkLayout,
  resources: ResourceSet,
  scope: EndpointScope,
  now: Pick<HookConfig, "generation" | "adoptOlder" | "outputNat"> & { readonly spareOlder?: boolean },
): HookConfig {
  const felix = effectiveFelix(resources, settings.node);
  const keepEstablished = settings.established === "keep" || now.spareOlder === true;
  return {
    input: scope.local,
    output: scope.local,
    forward: scope.forward,
    workloads: scope.workloads,
    preDNAT: scope.preDNAT,
    untracked: scope.untracked,
    offload: settings.datapath.offload,
    // Nothing is ever cut then, so nothing that was cut could come back.
    adoptOlder: now.adoptOlder || keepEstablished,
    keepEstablished,
    dropInvalid: !felix.disableConntrackInvalidCheck,
    tunnels: tunnelsOf(resources, settings.node, felix),
    serviceLoop: serviceLoopOf(resources, felix),
    ipv6: felix.ipv6Support,
    exemptLoopback: settings.exemptLoopback,
    failsafeInbound: felix.failsafeInbound,
    failsafeOutbound: felix.failsafeOutbound,
    queue: hookQueues(settings, resources),
    canary: settings.watchdog.canary,
    marks,
    generation: now.generation,
    outputNat: now.outputNat,
  };
}

/** The npm package does not tell the hook a packet comes from: nfqueue/nfqueue-queue.ts has two queues to know it. */
function hookQueues(settings: Settings, resources: ResourceSet): HookConfig["queue"] {
  const { backend, number, failOpen } = settings.queue;
  const { secondLane, sourcePerSecond, destinationPerSecond } = settings.overload;
  const open = secondLane ? openPorts(resources, settings.node) : undefined;
  const limits = open && { secondLane: { sourcePerSecond, destinationPerSecond, openPorts: open } };
  const queue = { first: number, count: settings.datapath.workers, bypass: failOpen, ...limits };
  return backend === "nfqueue" ? { ...queue, aroundRouting: number + 1 } : queue;
}

/** The parts of a scope the hooks depend on. */
function hookScopes({ local, forward, preDNAT, untracked, workloads }: EndpointScope): unknown[] {
  const sources = workloads?.allowedSources.map(({ interfaceName, nets }) => [interfaceName, nets.map(formatCidr)]);
  return [local, forward, preDNAT, untracked, workloads?.prefixes, sources];
}

/** What the packet path has to know of a policy set besides its tables. */
export function walkSettings(
  resources: ResourceSet,
  node: string,
  { adoptOlder, keepEstablished }: Pick<HookConfig, "adoptOlder" | "keepEstablished">,
): WalkSettings {
  const felix = effectiveFelix(resources, node);
  const actions = { Drop: HostAction.DROP, Accept: HostAction.ACCEPT, Return: HostAction.RETURN };
  return {
    hostAction: actions[felix.defaultEndpointToHostAction],
    deniedTunnels: deniedTunnels(felix),
    adoptOlder,
    keepEstablished,
  };
}

function tunnelsOf(resources: ResourceSet, node: string, felix: EffectiveFelix): Tunnels | undefined {
  const { ipipEnabled, vxlanEnabled, vxlanPort } = felix;
  if (!ipipEnabled && !vxlanEnabled) return undefined;
  return { ipip: ipipEnabled, vxlanPort: vxlanEnabled ? vxlanPort : undefined, ends: tunnelEnds(resources, node) };
}

function serviceLoopOf({ serviceNets = [] }: ResourceSet, { serviceLoopPrevention }: EffectiveFelix): HookConfig["serviceLoop"] {
  if (serviceLoopPrevention === "Disabled" || serviceNets.length === 0) return undefined;
  return { nets: serviceNets, reject: serviceLoopPrevention === "Reject" };
}

/**
 * An interface that was there before, perhaps by another name, is governed by another endpoint now: its live
 * connections must be judged again.
 */
function changesKnownInterface(current: Enforced, scope: EndpointScope, links: readonly NativeInterface[]): boolean {
  const before = new Map(current.links.map((link) => [link.index, link.name]));
  return links.some(({ index, name }) => {
    const known = before.get(index);
    return known !== undefined && current.scope.roles.get(known) !== scope.roles.get(name);
  });
}
