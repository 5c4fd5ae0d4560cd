/**
 * The shape of the settings file: every key, its limits and its default. A key
 * that is not named here is refused; a key left out or left empty has its
 * default. Every message says what is accepted.
 */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { DEFAULT_MARK_MASKS, markMaskProblem } from "../hooks/marks.ts";

const MIB = 1024 * 1024;
/** Bytes; the kernel doubles what it is asked for in a signed 32-bit number. */
export const MAXIMUM_RECEIVE_BUFFER = 1024 * MIB - 1;
/** sun_path holds 108 bytes, the last one a NUL. */
const SOCKET_PATH_BYTES = 107;
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

function wholeNumber(minimum: number, maximum: number) {
  const error = `must be a whole number from ${minimum} to ${maximum}`;
  return z.number({ error }).int({ error }).min(minimum, { error }).max(maximum, { error });
}

function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `must be one of ${values.join(", ")}` });
}

function text(what: string) {
  const error = `must be ${what}`;
  return z.string({ error }).min(1, { error });
}

function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.strictObject(shape, { error: "must be a mapping of settings" });
}

const flag = z.boolean({ error: "must be true or false" });

function markMask(minimumBits: number) {
  return z.number({ error: "must be a number such as 0xff00" }).superRefine((mask, context) => {
    const problem = markMaskProblem(mask, minimumBits);
    if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
  });
}

/** `host:port` with IPv6 in brackets, or `off`. */
const listen = z.string({ error: 'must be "host:port" or "off"' }).transform((value, context) => {
  // YAML 1.2 reads a bare `off` as this string; `false` is refused above.
  if (value === "off") return undefined;
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(value);
  const port = Number(parts?.[3]);
  if (parts === null || port < 1 || port > 65535) {
    const message = 'must be "host:port" with port 1 to 65535 ([::1]:9095 for IPv6), or "off"';
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }
  return { host: parts[1] ?? parts[2] ?? "", port };
});

const directory = text("an absolute path").refine((path) => isAbsolute(path), { error: "must be an absolute path" });

const socketPath = text("an absolute path").superRefine((path, context) => {
  if (!isAbsolute(path)) context.addIssue({ code: "custom", message: "must be an absolute path" });
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) {
    const message = `must be at most ${SOCKET_PATH_BYTES} bytes long, a limit of Unix sockets`;
    context.addIssue({ code: "custom", message });
  }
});

/** The sections of the file; a key with a default inside an absent section still gets it. */
const sections = {
  policy: section({
    paths: z
      .array(text("a file or directory"), { error: "must be a list of files and directories" })
      .min(1, { error: "must name at least one file or directory" })
      .optional(),
    watch: flag.default(true),
    debounceMs: wholeNumber(0, 60_000).default(50),
    lenientYaml: flag.default(true),
  }),
  queue: section({
    backend: oneOf(["native", "nfqueue"]).default("native"),
    number: wholeNumber(0, 65_535).default(100),
    maxLength: wholeNumber(16, 1_000_000).default(8192),
    copyRange: wholeNumber(64, 65_535).default(512),
    gatherMicros: wholeNumber(0, 1000).default(0),
    receiveBuffer: wholeNumber(64 * 1024, MAXIMUM_RECEIVE_BUFFER).optional(),
    failOpen: flag.default(false),
  }),
  iptables: section({
    variant: oneOf(["auto", "nft", "legacy"]).default("auto"),
    lockWaitSeconds: wholeNumber(0, 3600).default(10),
  }),
  marks: section({
    packet: markMask(7).default(DEFAULT_MARK_MASKS.packet),
    connection: markMask(4).default(DEFAULT_MARK_MASKS.connection),
  }),
  datapath: section({
    offload: oneOf(["connmark", "none"]).default("connmark"),
    workers: wholeNumber(1, 64).optional(),
  }),
  overload: section({
    secondLane: flag.default(true),
    sourcePerSecond: wholeNumber(1, 1_000_000).default(2000),
    destinationPerSecond: wholeNumber(1, 1_000_000).default(20_000),
    deniedPerSecond: wholeNumber(10_000, 1_000_000).default(20_000),
    queueLength: wholeNumber(16, 1_000_000).default(1024),
  }),
  flows: section({
    capacity: wholeNumber(1024, 16_777_216).optional(),
  }),
  log: section({
    level: oneOf(LOG_LEVELS).default("info"),
    format: oneOf(["json", "pretty"]).default("json"),
    deniedPerSecond: wholeNumber(0, 1_000_000).default(50),
  }),
  watchdog: section({
    canary: flag.default(true),
    intervalSeconds: wholeNumber(1, 60).default(2),
    patienceSeconds: wholeNumber(2, 600).default(10),
  }),
  metrics: section({
    listen: listen.prefault("127.0.0.1:9095"),
  }),
  control: section({
    socket: socketPath.default("/run/rampart/control.sock"),
  }),
} as const;

export const settingsSchema = section({
  node: text("this host's name, as HostEndpoints write it in spec.node").optional(),
  exemptLoopback: flag.default(true),
  established: oneOf(["rejudge", "keep"]).default("rejudge"),
  startup: oneOf(["closed", "open"]).default("closed"),
  stateDirectory: directory.default("/var/lib/rampart"),
  policy: sections.policy.prefault({}),
  queue: sections.queue.prefault({}),
  iptables: sections.iptables.prefault({}),
  marks: sections.marks.prefault({}),
  datapath: sections.datapath.prefault({}),
  overload: sections.overload.prefault({}),
  flows: sections.flows.prefault({}),
  log: sections.log.prefault({}),
  watchdog: sections.watchdog.prefault({}),
  metrics: sections.metrics.prefault({}),
  control: sections.control.prefault({}),
});

/** Keys that may stand at `path`, for a suggestion when another key stands there. */
export function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(settingsSchema.shape);
  const found = Object.entries(sections).find(([name]) => name === path[0])?.[1];
  return path.length === 1 && found !== undefined ? Object.keys(found.shape) : [];
}
