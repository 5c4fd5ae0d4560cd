/**
 * The C parsers under AddressSanitizer and UndefinedBehaviorSanitizer: with
 * clang guided by coverage (libFuzzer), with any other compiler by mutation of
 * the corpus (native/replay.c). Paths count from the repository.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Harness {
  /** Also its file in native/ and its folder in corpus/. */
  readonly name: string;
  /** Of native/src. */
  readonly sources: readonly string[];
  readonly shortRun: number;
}

export const HARNESSES: readonly Harness[] = [
  { name: "queue_message", sources: ["queue_message.c", "netlink.c"], shortRun: 300_000 },
  { name: "conntrack_message", sources: ["conntrack_message.c", "netlink.c"], shortRun: 200_000 },
  { name: "interface_message", sources: ["interface_message.c", "netlink.c"], shortRun: 300_000 },
  { name: "ruleset_message", sources: ["ruleset_message.c", "netlink.c"], shortRun: 300_000 },
];

export type Driver = "libfuzzer" | "replay";

export interface HarnessRun {
  readonly inputs: number;
  /** What the sanitizers said; undefined when all held. */
  readonly failure: string | undefined;
}

const FLAGS = ["-std=gnu11", "-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-fno-omit-frame-pointer"];
const LONGEST_INPUT = 4096;
/** What is kept of a report. */
const REPORT_LENGTH = 6000;

interface Ended {
  readonly ok: boolean;
  readonly output: string;
}

/** Compiles a harness into `folder` and returns the program; throws with the compiler's words. */
export async function compileHarness(harness: Harness, driver: Driver, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const program = join(folder, harness.name);
  const sanitizers = driver === "libfuzzer" ? "fuzzer,address,undefined" : "address,undefined";
  const files = [
    join("test/fuzz/native", `${harness.name}.c`),
    ...harness.sources.map((file) => join("native/src", file)),
    ...(driver === "replay" ? ["test/fuzz/native/replay.c"] : []),
  ];
  const compiler = driver === "libfuzzer" ? "clang" : "cc";
  const sanitize = [`-fsanitize=${sanitizers}`, "-fno-sanitize-recover=all"];
  const { ok, output } = await run(compiler, [...FLAGS, ...sanitize, "-o", program, ...files], 120);
  if (!ok) throw new Error(`${compiler} cannot build ${harness.name}: ${output}`);
  return program;
}

/** Whether clang is here and has libFuzzer and the sanitizers; otherwise why not. */
export async function hasLibFuzzer(folder: string): Promise<true | string> {
  try {
    await compileHarness(HARNESSES[0], "libfuzzer", folder);
    return true;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

/** Runs libFuzzer on the corpus for `seconds` or `inputs`, whichever ends first; crashing inputs go to `crashes`. */
export async function runLibFuzzer(
  harness: Harness,
  program: string,
  crashes: string,
  options: { readonly seed: number; readonly seconds: number; readonly inputs: number },
): Promise<HarnessRun> {
  const found = mkdtempSync(join(tmpdir(), "rampart-fuzz-"));
  mkdirSync(crashes, { recursive: true });
  const seconds = Number.isFinite(options.seconds) ? Math.ceil(options.seconds) : 0;
  const limits = [`-max_total_time=${seconds}`, `-runs=${Number.isFinite(options.inputs) ? options.inputs : -1}`];
  const bounds = [`-max_len=${LONGEST_INPUT}`, "-timeout=5", "-rss_limit_mb=1024", "-detect_leaks=1"];
  const report = [`-seed=${options.seed}`, `-artifact_prefix=${crashes}/${harness.name}-`, "-print_final_stats=1"];
  try {
    const all = [...limits, ...bounds, ...report, found, corpusOf(harness)];
    const { ok, output } = await run(program, all, seconds === 0 ? 0 : seconds + 120);
    const inputs = Number(/stat::number_of_executed_units:\s*(\d+)/.exec(output)?.[1] ?? 0);
    return { inputs, failure: ok ? undefined : output.slice(-REPORT_LENGTH) };
  } finally {
    rmSync(found, { recursive: true, force: true });
  }
}

/** Runs the corpus and `count` mutated inputs, numbered from `first`. */
export async function runReplay(
  harness: Harness,
  program: string,
  options: { readonly seed: number; readonly first: number; readonly count: number },
): Promise<HarnessRun> {
  const folder = corpusOf(harness);
  const files = readdirSync(folder).toSorted().map((name) => join(folder, name));
  const { ok, output } = await run(program, [options.seed, options.first, options.count, ...files].map(String), 300);
  if (ok) return { inputs: Number(output), failure: undefined };
  const named = /^crash: .*$/m.exec(output)?.[0] ?? "crash: input not named";
  return { inputs: 0, failure: `${named}\n${output.slice(0, REPORT_LENGTH)}` };
}

function corpusOf(harness: Harness): string {
  return join("test/fuzz/corpus", harness.name);
}

/** `seconds` 0: as long as it takes. */
function run(command: string, args: readonly string[], seconds: number): Promise<Ended> {
  // abort() ends a run like a crash does: with the death callback that names the input.
  const env = { ...process.env, ASAN_OPTIONS: "handle_abort=1:detect_leaks=1", UBSAN_OPTIONS: "print_stacktrace=1" };
  const options = { env, timeout: seconds * 1000, killSignal: "SIGKILL", maxBuffer: 64 * 1024 * 1024 } as const;
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) => {
      const spoken = stdout + stderr;
      resolve({ ok: error === null, output: spoken === "" && error !== null ? error.message : spoken });
    });
  });
}
