/**
 * The daemon's own settings. What loadSettings returns is complete and
 * checked: every default filled in, every path absolute, marks disjoint.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { dirname, resolve } from "node:path";
import type { z } from "zod";
import { formatError, RampartError } from "../errors/rampart-error.ts";
import type { MarkMasks } from "../hooks/marks.ts";
import type { SettingsDocument } from "./document.ts";
import { readSettingsDocument } from "./document.ts";
import { nearest } from "./nearest.ts";
import { knownKeys, MAXIMUM_RECEIVE_BUFFER, settingsSchema } from "./schema.ts";

const DEFAULT_SETTINGS_FILE = "/etc/rampart/rampart.yaml";
/** More of them only help a host that judges millions of packets a second. */
const MOST_DEFAULT_WORKERS = 8;
/** Bytes. */
const LARGEST_FILE = 1024 * 1024;
const DEFAULT_POLICY_DIRECTORY = "policy.d";
const MINIMUM_RECEIVE_BUFFER = 32 * 1024 * 1024;
/** Kernel memory a queued packet's message takes besides the copied bytes (skb, shared info, metadata). */
const MESSAGE_OVERHEAD = 1024;
/** Flows by default. With offload a forgotten one costs a decision; without, it is a connection that was lost. */
const CAPACITY = { connmark: 65_536, none: 262_144 } as const;

export interface Settings {
  /** This host's name, as HostEndpoints write it in `spec.node`. */
  readonly node: string;
  readonly policy: {
    /** Absolute; files, or directories of YAML files. */
    readonly paths: readonly string[];
    readonly watch: boolean;
    /** Quiet time after a change before the policy is loaded again. */
    readonly debounceMs: number;
    /** Documents whose indentation is lost are nested anew, with a warning; else they are errors. */
    readonly lenientYaml: boolean;
  };
  readonly queue: {
    /** What reads the queue: our addon in worker threads, or the npm package nfqueue on the main thread. */
    readonly backend: "native" | "nfqueue";
    /** First queue; workers use `number` to `number + workers - 1`. */
    readonly number: number;
    /** Packets the kernel holds a queue. */
    readonly maxLength: number;
    /** Bytes of each packet that are looked at. */
    readonly copyRange: number;
    /** Microseconds that packets which come close together may wait for one another. */
    readonly gatherMicros: number;
    /** Socket receive buffer, bytes a queue. */
    readonly receiveBuffer: number;
    readonly failOpen: boolean;
  };
  readonly iptables: { readonly variant: "auto" | "nft" | "legacy"; readonly lockWaitSeconds: number };
  readonly marks: MarkMasks;
  readonly exemptLoopback: boolean;
  readonly datapath: {
    /** connmark: decided connections stay in the kernel; none: every packet is judged in userspace. */
    readonly offload: "connmark" | "none";
    /** Threads that read queues, one each. */
    readonly workers: number;
  };
  /** What a policy change means for live connections: they are judged again, or go on as in Calico. */
  readonly established: "rejudge" | "keep";
  /** What a start means when the policy files have errors and no last good set is there: daemon/startup-set.ts. */
  readonly startup: "closed" | "open";
  /** Absolute; holds the last good set. */
  readonly stateDirectory: string;
  /** A queue of its own for what comes too fast; hooks/second-lane.ts, datapath/denial-pace.ts. */
  readonly overload: {
    /** Never with the backend nfqueue and without offload, which have none. */
    readonly secondLane: boolean;
    readonly sourcePerSecond: number;
    readonly destinationPerSecond: number;
    readonly deniedPerSecond: number;
    /** Packets the kernel holds there. */
    readonly queueLength: number;
  };
  readonly flows: { readonly capacity: number };
  readonly log: { readonly level: string; readonly format: "json" | "pretty"; readonly deniedPerSecond: number };
  readonly watchdog: {
    /** Packets of our own go through every queue, to find out whether it is read. */
    readonly canary: boolean;
    readonly intervalSeconds: number;
    /** How long a queue reader may be silent before the daemon ends, for its supervisor to start it anew. */
    readonly patienceSeconds: number;
  };
  /** undefined: switched off. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly control: { readonly socket: string };
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** The file the settings came from, absolute; undefined when all are defaults. */
  readonly file: string | undefined;
  readonly warnings: readonly RampartError[];
}

/**
 * Settings from `file`; without one from /etc/rampart/rampart.yaml if that exists, else the defaults.
 * Relative policy paths count from the settings file's directory.
 *
 * @throws RampartError RAMPART_E_CONFIG; where several things are wrong, its message lists them all.
 */
export function loadSettings(file: string | undefined): LoadedSettings {
  const source = file ?? (existsSync(DEFAULT_SETTINGS_FILE) ? DEFAULT_SETTINGS_FILE : undefined);
  const path = source === undefined ? undefined : resolve(source);
  const document = readSettingsDocument(path === undefined ? "" : readFile(path), path ?? DEFAULT_SETTINGS_FILE);
  const parsed = settingsSchema.safeParse(document.data);
  if (!parsed.success) throw combine(parsed.error.issues.flatMap((issue) => problemsOf(issue, document)));
  const problems = conflicts(parsed.data, document);
  if (problems.length > 0) throw combine(problems);
  return {
    settings: complete(parsed.data, dirname(path ?? DEFAULT_SETTINGS_FILE)),
    file: path,
    warnings: warningsOf(parsed.data, document),
  };
}

type Written = z.output<typeof settingsSchema>;

function readFile(path: string): string {
  try {
    // A pipe has no size, and is as good: `--config <(…)`.
    if (statSync(path).size > LARGEST_FILE) throw new Error(`it is larger than ${LARGEST_FILE} bytes`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    const known = { ENOENT: "it does not exist", EACCES: "permission denied", EISDIR: "it is a directory" };
    const reason = code in known ? known[code as keyof typeof known] : String(cause);
    throw new RampartError("RAMPART_E_CONFIG", `cannot read the settings file ${path}: ${reason}`, {
      hint: "name a readable YAML file with --config, or leave --config out to use the defaults",
      cause,
    });
  }
}

function complete(written: Written, directory: string): Settings {
  const { queue } = written;
  return {
    ...written,
    node: written.node ?? hostname(),
    policy: {
      ...written.policy,
      paths: (written.policy.paths ?? [DEFAULT_POLICY_DIRECTORY]).map((path) => resolve(directory, path)),
    },
    datapath: { ...written.datapath, workers: workersOf(written) },
    overload: { ...written.overload, secondLane: hasSecondLane(written) },
    queue: {
      ...queue,
      receiveBuffer: queue.receiveBuffer ?? receiveBufferFor(queue),
    },
    flows: { capacity: written.flows.capacity ?? CAPACITY[written.datapath.offload] },
    metrics: written.metrics.listen,
  };
}

/** By cores unless told: half of them, because the kernel's part of each packet needs the others. */
function workersOf({ datapath, queue }: Written): number {
  const ofCores = Math.min(MOST_DEFAULT_WORKERS, Math.max(1, Math.floor(availableParallelism() / 2)));
  return datapath.workers ?? (queue.backend === "nfqueue" ? 1 : ofCores);
}

/** Without offload every packet is queued, so fast means nothing; the package nfqueue's second queue is another. */
function hasSecondLane({ datapath, queue, overload }: Written): boolean {
  return overload.secondLane && datapath.offload === "connmark" && queue.backend === "native";
}

function receiveBufferFor(queue: { maxLength: number; copyRange: number }): number {
  return Math.min(Math.max(MINIMUM_RECEIVE_BUFFER, 2 * fullQueueBytes(queue)), MAXIMUM_RECEIVE_BUFFER);
}

/** What a full queue takes in the socket's receive buffer; less than that loses packets before the queue is full. */
function fullQueueBytes(queue: { maxLength: number; copyRange: number }): number {
  return queue.maxLength * (queue.copyRange + MESSAGE_OVERHEAD);
}

function conflicts(written: Written, document: SettingsDocument): RampartError[] {
  const problems: RampartError[] = [];
  const { marks, queue } = written;
  // A foreign rule that saves the whole packet mark to the connection, or back, would write one field into the other.
  const shared = (marks.packet & marks.connection) >>> 0;
  if (shared !== 0) {
    const bits = `0x${shared.toString(16)}`;
    problems.push(
      new RampartError("RAMPART_E_CONFIG", `marks.packet and marks.connection share the bits ${bits}`, {
        location: document.locate(["marks", "connection"]),
        hint: "give each mark bits of its own, such as 0xff000000 and 0x0000ff00",
      }),
    );
  }
  const workers = workersOf(written);
  if (queue.backend === "nfqueue" && workers > 1) {
    problems.push(
      new RampartError("RAMPART_E_CONFIG", `datapath.workers: ${workers} workers with the backend nfqueue`, {
        location: document.locate(["datapath", "workers"]),
        hint: "the package nfqueue runs only on the main thread: set datapath.workers to 1, or queue.backend to native",
      }),
    );
  }
  // The backend nfqueue has a second queue for the hooks around routing.
  const last = queue.number + workers - (queue.backend === "nfqueue" || hasSecondLane(written) ? 0 : 1);
  if (last > 65_535) {
    problems.push(
      new RampartError("RAMPART_E_CONFIG", `queue.number: the last queue would be ${last}, above 65535`, {
        location: document.locate(written.datapath.workers === undefined ? ["queue", "number"] : ["datapath", "workers"]),
        hint:
          "lower queue.number: each worker reads one queue, counted up from it; the second lane, or the backend nfqueue, "
          + "takes one more",
      }),
    );
  }
  return problems;
}

function warningsOf(written: Written, document: SettingsDocument): RampartError[] {
  const warnings: RampartError[] = [];
  const { metrics, queue } = written;
  const host = metrics.listen?.host;
  if (host !== undefined && !isLoopback(host)) {
    warnings.push(
      new RampartError("RAMPART_W_METRICS_EXPOSED", `metrics.listen: ${host} can be reached from other hosts`, {
        location: document.locate(["metrics", "listen"]),
        hint: "metrics have no password and name policies and interfaces; limit who may connect with a policy",
      }),
    );
  }
  const buffer = queue.receiveBuffer ?? receiveBufferFor(queue);
  const enough = fullQueueBytes(queue);
  if (buffer < enough) {
    const least = `maxLength * (copyRange + ${MESSAGE_OVERHEAD}) = ${enough}`;
    warnings.push(
      new RampartError("RAMPART_W_RECEIVE_BUFFER", `queue.receiveBuffer: ${buffer} bytes cannot hold a full queue`, {
        location: document.locate(["queue", queue.receiveBuffer === undefined ? "maxLength" : "receiveBuffer"]),
        hint:
          enough > MAXIMUM_RECEIVE_BUFFER
            ? `${least} is more than a socket takes (${MAXIMUM_RECEIVE_BUFFER}): lower one of the two`
            : `leave it out, or give at least ${least}`,
      }),
    );
  }
  return warnings;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function problemsOf(issue: z.core.$ZodIssue, document: SettingsDocument): RampartError[] {
  if (issue.code !== "unrecognized_keys") {
    const name = issue.path.length === 0 ? "settings" : issue.path.join(".");
    const location = document.locate(issue.path);
    return [new RampartError("RAMPART_E_CONFIG", `${name}: ${issue.message}`, { location })];
  }
  const known = knownKeys(issue.path);
  return issue.keys.map((key) => {
    const guess = nearest(key, known);
    return new RampartError("RAMPART_E_CONFIG", `unknown setting ${[...issue.path, key].join(".")}`, {
      location: document.locateKey([...issue.path, key]),
      hint: guess === undefined ? `known here: ${known.join(", ")}` : `did you mean ${guess}?`,
    });
  });
}

function combine(problems: readonly RampartError[]): RampartError {
  const [first] = problems;
  if (problems.length === 1) return first;
  const list = problems.map((problem) => `\n  ${formatError(problem)}`).join("");
  const options = first.location === undefined ? {} : { location: first.location };
  return new RampartError("RAMPART_E_CONFIG", `${problems.length} problems in the settings file:${list}`, options);
}
