/**
 * npm run fuzz [-- --seconds S] [--inputs N] [--seed N] [--first N] [--target NAME,...]
 *
 * Every target in turn, for S seconds (60) or N inputs each, whichever ends
 * first. A target of TypeScript runs in a thread with bounded memory, which is
 * watched: one that does not come back from an input has failed there.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { compileHarness, HARNESSES, hasLibFuzzer, runLibFuzzer } from "./native-harness.ts";
import type { TargetResult } from "./run-target.ts";
import { runTarget } from "./run-target.ts";
import { TARGETS } from "./targets.ts";

const BUILD = "test/fuzz/build";
/** Programs and crashing inputs stay here, to be run again. */
const PROGRAMS = join(BUILD, "native");
const CRASHES = join(BUILD, "crashes");
const MEMORY_MB = 512;
/** A thread that is on one input for this long hangs. */
const HANG_MS = 20_000;
const NAMES = [...TARGETS.map(({ name }) => name), ...HARNESSES.map(({ name }) => name)];
const USAGE = `usage: npm run fuzz -- [--seconds S] [--inputs N] [--seed N] [--first N] [--target ${NAMES.join(",")}]`;

interface Options {
  readonly seconds: number;
  readonly inputs: number;
  readonly seed: number;
  readonly first: number;
  readonly names: readonly string[];
}

interface Setup extends Options {
  readonly name: string;
  /** The number of the input at hand. */
  readonly current: Int32Array;
}

interface Line {
  readonly name: string;
  readonly inputs: number;
  readonly seconds: number;
  readonly wellFormed: number | undefined;
  readonly crashes: number;
}

function number(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Number(text);
}

/** What was asked for; undefined when it makes no sense. */
function readOptions(): Options | undefined {
  const text = { type: "string" } as const;
  const options = { seconds: text, inputs: text, seed: text, first: text, target: text };
  try {
    const { values } = parseArgs({ options });
    const inputs = number(values.inputs, Infinity);
    const seconds = number(values.seconds, values.inputs === undefined ? 60 : Infinity);
    const seed = number(values.seed, 1 + Math.floor(Math.random() * (2 ** 31 - 1)));
    const first = number(values.first, 0);
    const names = values.target?.split(",") ?? NAMES;
    const whole = [seed, first].every((each) => Number.isInteger(each) && each >= 0 && each < 2 ** 31);
    const known = names.every((name) => NAMES.includes(name));
    if (!whole || !known || !(seconds > 0) || !(inputs >= 1)) return undefined;
    return { seconds, inputs, seed, first, names };
  } catch {
    return undefined;
  }
}

function runInThread(name: string, options: Options): Promise<TargetResult> {
  const current = new Int32Array(new SharedArrayBuffer(4));
  const setup: Setup = { ...options, name, current };
  const resourceLimits = { maxOldGenerationSizeMb: MEMORY_MB };
  const thread = new Worker(fileURLToPath(import.meta.url), { workerData: setup, resourceLimits });
  return new Promise((resolve) => {
    const lost = (message: string): void => {
      const input = Atomics.load(current, 0);
      resolve({ inputs: input - options.first, wellFormed: 0, crash: { input, message, shown: "" } });
    };
    let seen = -1;
    let since = performance.now();
    const watch = setInterval(() => {
      const input = Atomics.load(current, 0);
      if (input !== seen) since = performance.now();
      seen = input;
      if (performance.now() - since < HANG_MS) return;
      lost(`no end after ${HANG_MS} ms`);
      void thread.terminate();
    }, 1000);
    thread.on("message", (result: TargetResult) => resolve(result));
    thread.on("error", (error) => lost(error.message));
    thread.on("exit", () => {
      clearInterval(watch);
      lost("the thread ended");
    });
  });
}

async function fuzzTypeScript(name: string, options: Options): Promise<Line> {
  const began = performance.now();
  const { inputs, wellFormed, crash } = await runInThread(name, options);
  const seconds = (performance.now() - began) / 1000;
  if (crash !== undefined) {
    const again = `npm run fuzz -- --target ${name} --seed ${options.seed} --first ${crash.input} --inputs 1`;
    console.error(`\nCRASH ${name}, input ${crash.input}: ${crash.message}\n${crash.shown}\nagain: ${again}\n`);
  }
  return { name, inputs, seconds, wellFormed, crashes: crash === undefined ? 0 : 1 };
}

async function fuzzNative(name: string, options: Options): Promise<Line> {
  const harness = HARNESSES.find((each) => each.name === name) as (typeof HARNESSES)[number];
  const program = await compileHarness(harness, "libfuzzer", PROGRAMS);
  const began = performance.now();
  const { inputs, failure } = await runLibFuzzer(harness, program, CRASHES, options);
  const seconds = (performance.now() - began) / 1000;
  if (failure !== undefined) {
    console.error(`\nCRASH ${name}:\n${failure}\nagain: ${program} ${CRASHES}/${name}-…\n`);
  }
  return { name, inputs, seconds, wellFormed: undefined, crashes: failure === undefined ? 0 : 1 };
}

function print({ name, inputs, seconds, wellFormed, crashes }: Line): void {
  const share = wellFormed === undefined ? "-" : `${((100 * wellFormed) / Math.max(inputs, 1)).toFixed(1)} %`;
  const rate = Math.round(inputs / Math.max(seconds, 0.001));
  const cells = [inputs.toLocaleString("en"), rate.toLocaleString("en"), share, String(crashes)];
  console.log(name.padEnd(20) + cells.map((cell) => cell.padStart(14)).join(""));
}

async function main(options: Options): Promise<number> {
  console.log(`seed ${options.seed}\n`);
  const heads = ["inputs", "inputs/s", "well-formed", "crashes"];
  console.log("target".padEnd(20) + heads.map((head) => head.padStart(14)).join(""));
  const lines: Line[] = [];
  const record = (line: Line): void => {
    lines.push(line);
    print(line);
  };
  const began = performance.now();
  for (const { name } of TARGETS) if (options.names.includes(name)) record(await fuzzTypeScript(name, options));
  const native = HARNESSES.filter(({ name }) => options.names.includes(name));
  const ready = native.length === 0 ? true : await hasLibFuzzer(PROGRAMS);
  if (ready === true) {
    for (const { name } of native) record(await fuzzNative(name, options));
  } else {
    const names = native.map(({ name }) => name).join(", ");
    console.log(`skipped, because they need clang with libFuzzer: ${names}\n  ${ready}`);
  }
  const inputs = lines.reduce((sum, line) => sum + line.inputs, 0);
  const crashes = lines.reduce((sum, line) => sum + line.crashes, 0);
  print({ name: "all", inputs, seconds: (performance.now() - began) / 1000, wellFormed: undefined, crashes });
  return crashes === 0 ? 0 : 1;
}

if (isMainThread) {
  const options = readOptions();
  if (options === undefined) {
    console.error(USAGE);
    process.exitCode = 2;
  } else {
    process.exitCode = await main(options);
  }
} else {
  const { name, current, ...options } = workerData as Setup;
  const target = TARGETS.find((each) => each.name === name) as (typeof TARGETS)[number];
  parentPort?.postMessage(runTarget(target, { ...options, onInput: (input) => void Atomics.store(current, 0, input) }));
}
