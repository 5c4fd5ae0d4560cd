/**
 * The daemon: starts everything in an order that can be undone, then keeps it
 * in step with the files, the interfaces and the hooks.
 *
 *   settings, policies, rights -> control socket -> queues -> tables -> hooks -> ready
 *
 * Policy files with errors are no reason not to start: fallback.ts says what is
 * enforced until they are mended. A start that fails leaves nothing behind. A stop leaves the hooks: until the
 * next start, established connections and failsafe ports work and nothing new
 * passes; `rampart hooks remove` takes them away.
 *
 * A start that takes over from a running daemon gets its queues between tables
 * and hooks, and its places (control socket, metrics) when it has ended.
 */
import type { Logger } from "pino";
import type { Settings } from "../config/settings.ts";
import { ControlServer } from "../control/server.ts";
import { WorkerPool } from "../datapath/worker-pool.ts";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import { HookInstaller } from "../hooks/apply.ts";
import { plansCanary } from "../hooks/plan.ts";
import { describeMarkOverlap } from "../hooks/mark-overlap.ts";
import { MarkLayout } from "../hooks/marks.ts";
import { OwnCommands } from "../hooks/own-commands.ts";
import { ipv6Support } from "../hooks/variant.ts";
import { createRegistry } from "../metrics/registry.ts";
import { MetricsServer } from "../metrics/server.ts";
import type { NativeBinding } from "../native/binding.ts";
import { readKernelQueues } from "../native/kernel-queues.ts";
import { loadNative } from "../native/load.ts";
import { DEFAULT_FELIX_SETTINGS } from "../resources/felix-settings.ts";
import { CpuProfile, type CpuProfileOptions } from "./cpu-profile.ts";
import { DecisionLog } from "./decision-log.ts";
import { Enforcer } from "./enforcer.ts";
import { HandoverGiving } from "./handover-giving.ts";
import { HookGuard } from "./hook-guard.ts";
import { HookWatch } from "./hook-watch.ts";
import { LastGoodStore } from "./last-good-store.ts";
import type { LogOutput } from "./log-output.ts";
import { boundYoungGeneration } from "./memory-bounds.ts";
import { type MetricsSources, readMetrics } from "./metrics-source.ts";
import { OverloadWatch } from "./overload-watch.ts";
import { PolicyChanges } from "./policy-changes.ts";
import { FilePolicySource, type PolicySource } from "./policy-source.ts";
import { poolSettings } from "./pool-settings.ts";
import { programRunner } from "./program-runner.ts";
import { QueueSockets } from "./queue-sockets.ts";
import { canaryNonce, QueueWatch } from "./queue-watch.ts";
import { RuleHitLedger } from "./rule-hits.ts";
import { notifyService, watchdogTimeoutMs } from "./service-notify.ts";
import { DaemonState } from "./state.ts";
import { StagedDecisionLedger } from "./staged-decisions.ts";
import { readStatus } from "./status.ts";
import { Surroundings } from "./surroundings.ts";
import { TapFeed } from "./tap-feed.ts";
import { trialHandlers } from "./trial-handlers.ts";
import { UnreadPackets } from "./unread-packets.ts";

export interface DaemonOptions {
  /** Where the log is written. */
  readonly output: LogOutput;
  /** Take over from the daemon that runs, if one does. */
  readonly takeover: boolean;
  /** Told of a failure the daemon cannot go on after. */
  readonly onFatal: (error: Error) => void;
  /** Everything is closed, because another process took over, or, with `startAgain`, because one shall be started. */
  readonly onEnd: (startAgain: boolean) => void;
}

export class Daemon {
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #native: NativeBinding;
  readonly #marks: MarkLayout;
  readonly #source: PolicySource;
  readonly #state: DaemonState;
  readonly #lastGood: LastGoodStore;
  readonly #policy: PolicyChanges;
  readonly #ledger = new RuleHitLedger();
  readonly #staged = new StagedDecisionLedger();
  readonly #pool: WorkerPool;
  #installer!: HookInstaller;
  #enforcer!: Enforcer;
  #control: ControlServer | undefined;
  #metrics: MetricsServer | undefined;
  #decisions: DecisionLog | undefined;
  #tap: TapFeed | undefined;
  #profile: CpuProfile | undefined;
  #unread: UnreadPackets | undefined;
  #overload: OverloadWatch | undefined;
  readonly #ownCommands: OwnCommands;
  readonly #guard: HookGuard;
  #hookWatch: HookWatch | undefined;
  readonly #nonce = canaryNonce();
  #queueWatch: QueueWatch | undefined;
  readonly #surroundings: Surroundings;
  /** Policy files changed while we started. */
  #changedAtStart = false;
  readonly #options: DaemonOptions;
  readonly #sockets: QueueSockets;
  readonly #giving: HandoverGiving;

  constructor(settings: Settings, log: Logger, options: DaemonOptions) {
    this.#options = options;
    this.#settings = settings;
    this.#log = log;
    this.#native = loadNative();
    this.#ownCommands = new OwnCommands(programRunner(this.#native));
    this.#marks = new MarkLayout(settings.marks);
    this.#source = new FilePolicySource(settings.policy);
    this.#state = new DaemonState(settings);
    this.#lastGood = new LastGoodStore({
      directory: settings.stateDirectory,
      onFailure: (error) => this.#warn(error.code, formatError(error)),
    });
    this.#policy = new PolicyChanges({
      settings,
      log,
      native: this.#native,
      source: this.#source,
      state: this.#state,
      lastGood: this.#lastGood,
      enforcer: () => this.#enforcer,
      takingOver: () => this.#sockets.takingOver,
    });
    this.#guard = new HookGuard({
      log,
      state: this.#state,
      repair: async (onFound) => this.#hookWatch?.during(() => this.#enforcer.repairHooks(onFound)),
    });
    this.#surroundings = new Surroundings({
      native: this.#native,
      log,
      state: this.#state,
      enforcer: () => this.#enforcer,
    });
    this.#pool = new WorkerPool({
      ...poolSettings(settings),
      canaryNonce: this.#nonce,
      recordAccepted: log.isLevelEnabled("debug"),
      onUnknownInterface: () => this.#surroundings.interfacesChanged(),
      onFatal: options.onFatal,
    });
    this.#sockets = new QueueSockets({ native: this.#native, log, pool: this.#pool, settings });
    this.#giving = new HandoverGiving({
      native: this.#native,
      log,
      pool: this.#pool,
      enforcer: () => this.#enforcer,
      backend: settings.queue.backend,
      applying: () => this.#policy.trial.underWay,
      established: settings.established,
      enforcing: () => this.#state.phase === "enforcing",
      onTaken: (pid) => {
        notifyService(this.#native, `MAINPID=${pid}`);
        setImmediate(() => void this.#leave(pid).catch(options.onFatal));
      },
      onStartAgain: () => void this.stop().then(() => options.onEnd(true), options.onFatal),
    });
  }

  /** Resolves when the policy, or its fallback, is in force. @throws RampartError; then everything is as before. */
  async start(): Promise<void> {
    try {
      // Before the first load, so that no change falls between the two.
      if (this.#settings.policy.watch) await this.#watchFiles();
      const loaded = this.#policy.loadFirst();
      if (this.#options.takeover) await this.#sockets.beginTakeover();
      await this.#open();
      await this.#policy.start(loaded);
      await this.#succeed();
    } catch (error) {
      await this.#closeEverything();
      throw error;
    }
    this.#surroundings.follow();
    this.#watchQueues();
    this.#state.phase = "enforcing";
    this.#policy.releaseMemory();
    notifyService(this.#native, "READY=1");
    this.#sockets.keep();
    const { generation, inForce } = this.#state;
    const { variant } = this.#installer;
    const fields = { generation, node: this.#settings.node, variant, inForce: inForce.source, pid: process.pid };
    if (inForce.source === "open") this.#log.error(fields, "NOT enforcing");
    else this.#log.info(fields, "enforcing");
    if (this.#changedAtStart) void this.reload("files");
    await this.#profile?.start();
  }

  /** Loads the policy again; a set with errors changes nothing. Resolves to what was wrong with it. */
  reload(reason: string): Promise<readonly RampartError[]> {
    return this.#policy.reload(reason);
  }

  /** Before `start`: have the packet path profiled once the policy is in force. @throws RAMPART_E_CPU_PROFILE */
  profile(options: CpuProfileOptions): void {
    this.#profile = new CpuProfile(this.#pool, this.#log, options);
  }

  /** Stops answering and closes everything; the hooks stay. */
  async stop(): Promise<void> {
    this.#state.phase = "stopping";
    this.#sockets.keepForRestart();
    notifyService(this.#native, "STOPPING=1");
    await this.#closeEverything();
    this.#log.info("stopped; the hooks stay until the next start or `rampart hooks remove`");
  }

  async #open(): Promise<void> {
    const { control, metrics, iptables, marks } = this.#settings;
    const ipv6 = await ipv6Support();
    if (!ipv6.supported) this.#warn("RAMPART_W_NO_IPV6", ipv6.warning);
    this.#installer = new HookInstaller({
      ...iptables,
      ipv6: ipv6.supported,
      marks: this.#marks,
      run: this.#ownCommands.run,
    });
    await this.#checkMarks(marks);

    const names = {
      compilationOf: (generation: number) => this.#enforcer.compilationOf(generation),
      interfaceName: (index: number) =>
        this.#enforcer.current?.links.find((link) => link.index === index)?.name ?? (index === 0 ? undefined : `if${index}`),
    };
    this.#tap = new TapFeed(this.#pool, names);
    this.#control = new ControlServer(
      control.socket,
      {
        status: () => readStatus(this.#sources()),
        reload: async () => {
          const errors = await this.reload("control");
          return { generation: this.#state.generation, errors: errors.map(formatError) };
        },
        tap: (params, stream) => this.#tap?.hub.subscribe(stream, params),
        restart: () => this.#giving.restart(),
        handover: (params, stream) => this.#giving.begin(params, stream),
        "handover.queues": (params) => this.#giving.queues(params),
        "handover.done": () => this.#giving.done(),
        ...trialHandlers({
          trial: this.#policy.trial,
          settings: this.#settings,
          native: this.#native,
          pool: this.#pool,
          enforcer: () => this.#enforcer,
        }),
      },
      { onInternalError: (method, error) => this.#log.error({ method, err: error }, "control method failed") },
    );
    await this.#control.listen({ aside: this.#sockets.takingOver });
    if (metrics !== undefined) {
      const registry = createRegistry(() => readMetrics(this.#sources()));
      this.#metrics = new MetricsServer({
        ...metrics,
        registry,
        alive: () => this.#state.queueProblems().length === 0,
        ready: () => this.#state.readiness(),
      });
      if (!this.#sockets.takingOver) await this.#metrics.listen();
    }
    this.#enforcer = new Enforcer({
      settings: this.#settings,
      marks: this.#marks,
      native: this.#native,
      pool: this.#pool,
      installer: this.#installer,
      onRetired: (retired, hits) => {
        this.#ledger.retire(retired, hits);
        this.#staged.retire(retired, hits);
      },
      onPublished: () => this.#sockets.takeOver(),
      onSecondLaneRefused: (error) => {
        const message = "no second lane: this kernel refuses its rules, for which it needs xt_hashlimit";
        this.#log.warn({ code: "RAMPART_W_NO_SECOND_LANE", err: error }, message);
      },
      onCarryOverFailed: (error) => this.#log.warn({ err: error }, "live connections wait for their next packet"),
    });
    this.#unread = new UnreadPackets(await this.#installer.counters());
    this.#pool.start();
    boundYoungGeneration();
    if (!this.#sockets.takingOver) await this.#sockets.bind();
    this.#overload = new OverloadWatch({ log: this.#log, output: this.#options.output, pool: this.#pool });
    this.#overload.start();
    // Before the first hooks, so that no change of them falls between.
    this.#hookWatch = new HookWatch({
      native: this.#native,
      log: this.#log,
      guard: this.#guard,
      installer: this.#installer,
      own: this.#ownCommands,
      returned: () => this.#pool.queues.reduce((sum, { counters }) => sum + counters.gauge("returned"), 0),
    });
    this.#hookWatch.start();
    this.#decisions = new DecisionLog(
      this.#log,
      names,
      this.#settings.log.deniedPerSecond,
      () => this.#enforcer.current?.felix ?? DEFAULT_FELIX_SETTINGS,
    );
    this.#decisions.start(() => this.#pool.eventRings);
  }

  /** In a takeover: the other process ends, and its places are ours. */
  async #succeed(): Promise<void> {
    if (!this.#sockets.takingOver) return;
    await this.#sockets.finish();
    this.#control?.moveIn();
    // The one before has ended: protecting this host comes first.
    await this.#metrics?.listenWhenFree().catch((error: unknown) => this.#log.error({ err: error }, "metrics are not served"));
  }

  /** Another process has queues and hooks. */
  async #leave(pid: number): Promise<void> {
    this.#state.phase = "stopping";
    await this.#closeEverything();
    this.#log.info({ pid }, "another process has taken over");
    this.#options.onEnd(false);
  }

  /** Another program's rule on purpose in our bits would read our decisions as its own, or write ours. */
  async #checkMarks(masks: Settings["marks"]): Promise<void> {
    const overlaps = await this.#installer.markOverlaps(masks);
    const conflict = overlaps.find((overlap) => overlap.severity === "conflict");
    for (const overlap of overlaps) {
      if (overlap !== conflict) this.#warn("RAMPART_W_MARK_OVERLAP", describeMarkOverlap(overlap));
    }
    if (conflict !== undefined) {
      throw new RampartError("RAMPART_E_MARK_OVERLAP", describeMarkOverlap(conflict), {
        hint: "set marks.packet and marks.connection to bits no other program uses",
      });
    }
  }

  #watchFiles(): Promise<void> {
    return this.#source.watch(
      () => {
        if (this.#state.phase === "enforcing") void this.reload("files");
        else this.#changedAtStart = true;
      },
      (error) => this.#log.error({ err: error }, "cannot watch the policy files; reload with SIGHUP"),
    );
  }

  #watchQueues(): void {
    const { watchdog, queue } = this.#settings;
    const watch = new QueueWatch({
      native: this.#native,
      log: this.#log,
      // Twice in the time systemd gives us.
      intervalMs: Math.min(watchdog.intervalSeconds * 1000, (watchdogTimeoutMs() ?? Infinity) / 2),
      patienceMs: watchdog.patienceSeconds * 1000,
      nonce: this.#nonce,
      mark: this.#marks.canaryMark,
      maxLength: queue.maxLength,
      kernelQueues: readKernelQueues,
      readers: this.#pool.queues,
      aroundRouting: this.#enforcer.current?.hooks.queue.aroundRouting,
      hasCanary: () => {
        const { current } = this.#enforcer;
        return current !== undefined && !this.#giving.standingStill && plansCanary(current.hooks);
      },
      onMissing: () => this.#guard.raise("periodic"),
      onAnswered: () => notifyService(this.#native, "WATCHDOG=1"),
      onFatal: this.#options.onFatal,
    });
    this.#queueWatch = watch;
    this.#state.queueProblems = () => watch.problems;
    watch.start();
  }

  #sources(): MetricsSources {
    return {
      state: this.#state,
      pool: this.#pool,
      enforcer: this.#enforcer,
      installer: this.#installer,
      ledger: this.#ledger,
      staged: this.#staged,
      tap: this.#tap,
      lastGood: this.#lastGood,
      guard: this.#guard,
      trial: this.#policy.trial,
      watched: this.#queueWatch?.queues ?? [],
      unread: this.#unread,
      output: this.#options.output,
    };
  }

  #warn(code: string, message: string): void {
    this.#log.warn({ code }, message);
  }

  async #closeEverything(): Promise<void> {
    this.#queueWatch?.stop();
    this.#overload?.stop();
    this.#policy.stop();
    this.#hookWatch?.stop();
    this.#guard.stop();
    this.#surroundings.stop();
    await this.#source.close();
    await this.#enforcer?.settled();
    this.#tap?.stop();
    await this.#control?.close();
    await this.#metrics?.close();
    await this.#profile?.finish();
    await this.#pool.close();
    await this.#sockets.abandonTakeover();
    await this.#lastGood.settled();
    this.#decisions?.drain(this.#pool.eventRings);
    this.#decisions?.stop();
  }
}
