/**
 * Nanoseconds of user time a packet: decode, flow table, decision and counters
 * of a whole batch, as a worker does it, without the kernel. Beside it the
 * same batches read byte by byte as far as the headers go. Reads the built
 * daemon: `npm run build:ts && node bench/micro/decider.bench.mjs`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bench } from "tinybench";
import { WorkerCounters } from "../../dist/datapath/counters.js";
import { PacketDecider } from "../../dist/datapath/decider.js";
import { buildInterfaceMap, NO_ENDPOINT } from "../../dist/datapath/interface-map.js";
import { outcomeReasons } from "../../dist/datapath/outcome.js";
import { HostAction } from "../../dist/datapath/published.js";
import { allocateRing, RecordRing } from "../../dist/datapath/record-ring.js";
import { MarkLayout } from "../../dist/hooks/marks.js";
import { Hook, Verdict } from "../../dist/native/binding.js";
import { loadResources } from "../../dist/resources/load.js";
import { compileTables } from "../../dist/tables/compile.js";
import { allowPolicy, endpoints, fillerPolicies } from "../policies.mjs";
import { printPerOperation } from "./per-operation.mjs";

const NODE = "host";
const PORT = 9;
const BATCH = 64;
const SLOT = 256;
const HEADERS = 28;
const IPV4 = 0x0800;

const batch = {
  slab: new Uint8Array(BATCH * SLOT),
  id: new Uint32Array(BATCH),
  hook: new Uint8Array(BATCH).fill(Hook.FORWARD),
  inInterface: new Uint32Array(BATCH).fill(2),
  outInterface: new Uint32Array(BATCH).fill(3),
  mark: new Uint32Array(BATCH),
  hardwareProtocol: new Uint16Array(BATCH).fill(IPV4),
  offset: Uint32Array.from({ length: BATCH }, (_, i) => i * SLOT + 92),
  length: new Uint32Array(BATCH).fill(50),
  originalLength: new Uint32Array(BATCH).fill(50),
  skbInfo: new Uint32Array(BATCH),
  uid: new Uint32Array(BATCH),
  verdict: new Uint8Array(BATCH),
  verdictMark: new Uint32Array(BATCH),
};

/** A UDP packet of flow n at place i of the batch. */
function aim(i, n) {
  const { slab } = batch;
  const at = batch.offset[i];
  slab.set([0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, (n >>> 8) & 0xff, n & 0xff, 10, 1, 0, 2], at);
  slab.set([4, n & 0xff, 0, PORT, 0, 30, 0, 0], at + 20);
}

function decider(fillers) {
  const directory = mkdtempSync(join(tmpdir(), "rampart-bench-"));
  try {
    const file = join(directory, "policies.yaml");
    const documents = [...endpoints(NODE, ["eth0", "eth1"]), ...fillerPolicies(fillers, true), allowPolicy("UDP", PORT, true)];
    writeFileSync(file, documents.join("\n---\n"));
    const { resources, errors } = loadResources([file]);
    if (errors.length > 0) throw errors[0];
    const { tables, rules } = compileTables(resources, resources.hostEndpoints, NODE, 1);
    const made = new PacketDecider({
      marks: new MarkLayout(),
      flowCapacity: 65_536,
      counters: new WorkerCounters(),
      events: new RecordRing(allocateRing(1024, 0)),
      recordAccepted: false,
    });
    const none = { workload: NO_ENDPOINT, preDNAT: NO_ENDPOINT, untracked: NO_ENDPOINT };
    made.publish({
      tables,
      interfaces: buildInterfaceMap(new Map([[2, { host: 0, ...none }], [3, { host: 1, ...none }]])),
      hostAction: HostAction.DROP,
      ruleReasons: Uint8Array.from(rules, ({ reason }) => outcomeReasons.indexOf(reason)),
      ruleHits: new Float64Array(new SharedArrayBuffer(rules.length * 8)),
    });
    return made;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const bench = new Bench({ time: 500 });
let sink = 0;
let clock = 0;
for (const flows of [64, 3000, 65_000]) {
  const made = decider(99);
  let next = 0;
  bench.add(`a packet of a known flow, ${flows} flows`, () => {
    made.beginBatch(clock, clock++);
    for (let i = 0; i < BATCH; i++) {
      aim(i, next);
      next = (next + 1) % flows;
      made.decide(batch, i);
      if (batch.verdict[i] === Verdict.DROP) throw new Error("a packet was dropped that a policy allows");
    }
  });
}
let next = 0;
bench.add("baseline: the bytes of the headers", () => {
  const { slab, offset } = batch;
  for (let i = 0; i < BATCH; i++) {
    aim(i, next++);
    for (let b = 0; b < HEADERS; b++) sink += slab[offset[i] + b];
  }
});
await bench.run();
printPerOperation(bench, BATCH);
if (Number.isNaN(sink)) console.log(sink);
