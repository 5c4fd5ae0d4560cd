/**
 * Nanoseconds a flow table operation, beside a Map with string keys that holds
 * the same flows. Reads the built daemon:
 * `npm run build:ts && node bench/micro/flow.bench.mjs`.
 */
import { Bench } from "tinybench";
import { FlowTable } from "../../dist/flow/flow-table.js";
import { PacketView } from "../../dist/packet/view.js";
import { printPerOperation } from "./per-operation.mjs";

const BATCH = 256;
const SCOPE = 3;

const view = new PacketView();
view.family = 4;
view.protocol = 6;
view.hasPorts = 1;
view.destinationPort = 443;
view.words[7] = 0xc0a80001;

/** Flow n: a client address and port of its own. */
function aim(n) {
  view.words[3] = 0x0a000000 + (n >>> 4);
  view.sourcePort = 1024 + (n & 15);
}

const mapKey = () =>
  `${view.family}/${view.protocol}/${view.words.join(".")}/${view.sourcePort}/${view.destinationPort}/${SCOPE}`;

const bench = new Bench({ time: 500 });
let sink = 0;
let clock = 0;

for (const flows of [1024, 65536, 1_000_000]) {
  const table = new FlowTable(flows);
  for (let n = 0; n < flows; n++) {
    aim(n);
    table.insert(view, SCOPE, clock);
  }
  let step = 0;
  const next = () => {
    // A stride that is odd visits all flows of a power of two, in no order a cache likes.
    step = (step + 7919) % flows;
    return step;
  };
  bench.add(`find, hit, ${flows} flows`, () => {
    for (let i = 0; i < BATCH; i++) {
      aim(next());
      sink += table.find(view, SCOPE);
    }
  });
  bench.add(`find and touch, ${flows} flows`, () => {
    clock++;
    for (let i = 0; i < BATCH; i++) {
      aim(next());
      table.touch(table.find(view, SCOPE), clock);
    }
  });
  bench.add(`find, miss, ${flows} flows`, () => {
    for (let i = 0; i < BATCH; i++) {
      aim(flows + next());
      sink += table.find(view, SCOPE);
    }
  });
  const full = new FlowTable(flows);
  let fresh = 0;
  bench.add(`insert, evicting, ${flows} flows`, () => {
    clock++;
    for (let i = 0; i < BATCH; i++) {
      aim(fresh++);
      sink += full.insert(view, SCOPE, clock);
    }
  });
  if (flows <= 65536) {
    const map = new Map();
    for (let n = 0; n < flows; n++) {
      aim(n);
      map.set(mapKey(), n);
    }
    bench.add(`Map with string keys, hit, ${flows} flows`, () => {
      for (let i = 0; i < BATCH; i++) {
        aim(next());
        sink += map.get(mapKey());
      }
    });
  }
}
await bench.run();
printPerOperation(bench, BATCH);
if (Number.isNaN(sink)) console.log(sink);
