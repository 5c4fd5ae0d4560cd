/**
 * Nanoseconds a lookup on ClassBench filter sets, beside a linear scan of the
 * same rules; both find the same rule for every header of every trace, or
 * nothing is measured. Reads the built daemon:
 * `npm run build:ts && node bench/micro/classbench.bench.mjs [DIRECTORY]`.
 *
 *   memo hot   the same 1,024 headers again and again
 *   memo off   the whole trace, no verdict is remembered
 *   cold       the whole trace by a new classifier without a memo: most
 *              headers are the first of their kind
 *
 * 1k and 10k are in test/fixtures/classbench; 100k is looked for in DIRECTORY
 * or $RAMPART_CLASSBENCH and left out when it is not there.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PacketView } from "../../dist/packet/view.js";
import { parseSelector } from "../../dist/selector/parse.js";
import { Classifier } from "../../dist/tables/classifier.js";
import { compileTables } from "../../dist/tables/compile.js";
import { ProgramKind } from "../../dist/tables/compiled.js";
import { asResources, LinearScan, loadHeader, readRules, readTrace } from "../classbench-files.mjs";

const FIXTURES = fileURLToPath(new URL("../../test/fixtures/classbench", import.meta.url));
const LARGE = process.argv[2] ?? process.env.RAMPART_CLASSBENCH;
const FILTERS = ["acl1", "fw1", "ipc1"];
const HOT_HEADERS = 1024;
const HEADER_WORDS = 5;
const PASSES = 7;
/** Headers the scan is timed with; it looks at all of them before. */
const SCANNED = 2000;

let sink = 0;
for (const filter of FILTERS) {
  const memoOff = [];
  for (const size of ["1k", "10k", "100k"]) {
    const name = `${filter}_${size}`;
    const directory = [FIXTURES, LARGE].find((each) => each !== undefined && existsSync(join(each, `${name}.rules.gz`)));
    if (directory === undefined) {
      console.log(`${name}: no file, left out`);
      continue;
    }
    memoOff.push(measure(name, directory));
  }
  if (memoOff.length === 3) console.log(`${filter}, memo off: 100k takes ${(memoOff[2] / memoOff[0]).toFixed(2)} times 1k`);
}
if (Number.isNaN(sink)) console.log(sink);

/** Prints a line for each way of looking up; returns the one without a memo. */
function measure(name, directory) {
  const rules = readRules(directory, name);
  const trace = readTrace(directory, name);
  const set = asResources(rules, parseSelector);
  const before = performance.now();
  const { tables, rules: info } = compileTables(set, set.hostEndpoints, "bench", 1);
  const milliseconds = performance.now() - before;
  const program = tables.endpointPrograms[ProgramKind.NORMAL_INGRESS];
  const headers = trace.length / HEADER_WORDS;
  const view = new PacketView();

  const scan = new LinearScan(rules);
  const hot = new Classifier(tables);
  const off = new Classifier(tables, 0);
  for (let n = 0; n < headers; n++) {
    loadHeader(view, trace, n * HEADER_WORDS);
    const expected = scan.first(trace, n * HEADER_WORDS);
    for (const classifier of [hot, off]) {
      const found = info[classifier.classify(program, view)].rule?.index ?? -1;
      if (found !== expected) throw new Error(`${name}, header ${n}: rule ${found}, but a linear scan finds ${expected}`);
    }
  }

  const pass = (classifier, count) => {
    for (let n = 0; n < count; n++) {
      loadHeader(view, trace, n * HEADER_WORDS);
      sink += classifier.classify(program, view);
    }
  };
  const nsHot = median(() => {
    for (let times = 0; times < 100; times++) pass(hot, HOT_HEADERS);
  }) / (100 * HOT_HEADERS);
  const nsTrace = median(() => pass(hot, headers)) / headers;
  const nsOff = median(() => pass(off, headers)) / headers;
  const nsCold = median(() => pass(new Classifier(tables, 0), headers)) / headers;
  const nsScan = median(() => {
    for (let n = 0; n < SCANNED; n++) sink += scan.first(trace, n * HEADER_WORDS);
  }, 3) / SCANNED;
  print(`${name}, memo hot`, nsHot, nsScan);
  print(`${name}, whole trace, memo on`, nsTrace, nsScan);
  print(`${name}, memo off`, nsOff, nsScan);
  print(`${name}, cold`, nsCold, nsScan);
  print(`${name}, linear scan`, nsScan, nsScan);
  console.log(`${name}: ${headers} headers equal to the scan; ${rules.length} rules compiled in ${milliseconds.toFixed(0)} ms`);
  return nsOff;
}

/** Median nanoseconds of processor time of a run, so that other processes count for little. */
function median(run, passes = PASSES) {
  run();
  const times = Array.from({ length: passes }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1000;
  });
  return times.toSorted((a, b) => a - b)[passes >> 1];
}

function print(name, nanoseconds, scan) {
  const ratio = nanoseconds === scan ? "" : `, 1/${(scan / nanoseconds).toFixed(0)} of the scan`;
  console.log(`${name}${ratio}`.padEnd(60), nanoseconds.toFixed(1).padStart(9), "ns/op");
}
