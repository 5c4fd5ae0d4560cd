/**
 * npm run bench [-- NAME...] [--rounds N] [--seconds S] [--output FILE] [--no-build]
 *
 * Runs the benchmarks named, or all, and leaves nothing behind but the table
 * on stdout and bench/results.json, .svg and .cpuprofile. Everything with packets happens in network
 * namespaces; the machine's own firewall is not touched.
 */
import { renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { cleanUp } from "./cleanup.mjs";
import { describeMachine, printMachine } from "./machine.mjs";
import { plot } from "./plot.mjs";
import { printTable } from "./report.mjs";

/** Loaded when it is their turn: they import the daemon, which may have to be built first. */
const BENCHMARKS = {
  queued: async () => (await import("./queued.mjs")).queued,
  fastpath: async () => (await import("./fastpath.mjs")).fastpath,
  fullqueue: async () => (await import("./fullqueue.mjs")).fullqueue,
  connect: async () => (await import("./connect.mjs")).connect,
  load: async () => (await import("./load.mjs")).load,
  latency: async () => (await import("./latency.mjs")).latency,
  reload: async () => (await import("./reload.mjs")).reload,
  flood: async () => (await import("./flood.mjs")).flood,
  memory: async () => (await import("./memory.mjs")).memory,
  start: async () => (await import("./start.mjs")).start,
  micro: async () => (await import("./micro.mjs")).micro,
  profile: async () => (await import("./profile.mjs")).profile,
};
const NAMES = Object.keys(BENCHMARKS);
const RESULTS_FILE = fileURLToPath(new URL("results.json", import.meta.url));
const USAGE = `usage: npm run bench -- [${NAMES.join("] [")}] [--rounds N] [--seconds S] [--output FILE] [--no-build]`;

/** What was asked for; undefined when it makes no sense. */
function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "5" },
        seconds: { type: "string", default: "3" },
        output: { type: "string", default: RESULTS_FILE },
        "no-build": { type: "boolean", default: false },
      },
    });
    const rounds = Number(values.rounds);
    const seconds = Number(values.seconds);
    const known = positionals.every((name) => NAMES.includes(name));
    // iperf3 takes whole seconds.
    if (!known || !(Number.isInteger(rounds) && rounds >= 1) || !(Number.isInteger(seconds) && seconds >= 1)) return;
    const names = positionals.length === 0 ? NAMES : NAMES.filter((name) => positionals.includes(name));
    return { names, rounds, seconds, output: values.output, peersOnly: values["no-build"] };
  } catch {
    return undefined;
  }
}

async function run({ names, rounds, seconds, output, peersOnly }) {
  // Before the build, which is load of our own making.
  const machine = describeMachine();
  if (machine.cores < 2 && names.some((name) => name !== "micro")) {
    throw new Error("two cores are needed: one makes the packets, one filters them");
  }
  build({ peersOnly });
  printMachine(machine);
  console.log(`rounds    ${rounds} of ${seconds} s`);
  const results = { machine, rounds, seconds, rows: [], micro: [], profile: [], failed: [] };
  for (const name of names) {
    const benchmark = await BENCHMARKS[name]();
    try {
      const rows = await benchmark({ rounds, seconds, file: beside(output, ".cpuprofile") });
      (results[name] ?? results.rows).push(...rows);
    } catch (error) {
      // The others are worth having, and it may have been a long run.
      console.error(`bench: ${name}: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`);
      results.failed.push(name);
    } finally {
      await cleanUp();
    }
  }
  if (results.rows.length > 0) printTable(results.rows);
  writeWhole(output, `${JSON.stringify(results, null, 2)}\n`);
  if (results.rows.length > 0) writeWhole(beside(output, ".svg"), plot(results));
  if (results.failed.length > 0) throw new Error(`failed: ${results.failed.join(", ")}`);
}

/** The same name with another ending. */
function beside(file, extension) {
  return file.replace(/(\.json)?$/, extension);
}

/** Whole or not at all. */
function writeWhole(file, content) {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]]) {
  process.once(signal, async () => {
    await cleanUp();
    process.exit(code);
  });
}

const asked = options();
if (asked === undefined) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  try {
    await run(asked);
  } catch (error) {
    console.error(`bench: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`);
    process.exitCode = 1;
  }
}
