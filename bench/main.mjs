/**
 * npm run bench [-- NAME...] [--rounds N] [--seconds S] [--output FILE] [--no-build]
 *
 * Runs the benchmarks named, or all, and leaves nothing behind but the table
 * on stdout and bench/results.json. Everything with packets happens in network
 * namespaces; the machine's own firewall is not touched.
 */
import { renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { cleanUp } from "./cleanup.mjs";
import { describeMachine, printMachine } from "./machine.mjs";
import { printTable } from "./report.mjs";

/** Loaded when it is their turn: they import the daemon, which may have to be built first. */
const BENCHMARKS = {
  queued: async () => (await import("./queued.mjs")).queued,
  fastpath: async () => (await import("./fastpath.mjs")).fastpath,
  connect: async () => (await import("./connect.mjs")).connect,
  load: async () => (await import("./load.mjs")).load,
  micro: async () => (await import("./micro.mjs")).micro,
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
  const results = { machine, rounds, seconds, rows: [], micro: [] };
  for (const name of names) {
    const benchmark = await BENCHMARKS[name]();
    try {
      const rows = await benchmark({ rounds, seconds });
      (name === "micro" ? results.micro : results.rows).push(...rows);
    } finally {
      await cleanUp();
    }
  }
  if (results.rows.length > 0) printTable(results.rows);
  // Whole or not at all.
  writeFileSync(`${output}.new`, `${JSON.stringify(results, null, 2)}\n`);
  renameSync(`${output}.new`, output);
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
