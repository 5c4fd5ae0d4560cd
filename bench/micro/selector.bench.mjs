/**
 * Nanoseconds to match one endpoint's labels, and to choose among 10,000
 * endpoints: through the label index beside asking every one of them. Reads the
 * built daemon: `npm run build:ts && node bench/micro/selector.bench.mjs`.
 */
import { Bench } from "tinybench";
import { LabelIndex } from "../../dist/policy/label-index.js";
import { matchesSelector } from "../../dist/selector/match.js";
import { parseSelector } from "../../dist/selector/parse.js";
import { printPerOperation } from "./per-operation.mjs";

const ENDPOINTS = 10_000;
const SELECTORS = {
  "equality": "app == 'app-17'",
  "set and presence": "app in {'app-17', 'app-18'} && has(tier)",
  "negation": "app != 'app-17' && !has(absent) && zone starts with 'z'",
};

const endpoints = Array.from({ length: ENDPOINTS }, (_, n) => ({
  labels: { app: `app-${n % 500}`, tier: n % 3 === 0 ? "web" : "db", zone: `z${n % 7}` },
}));
const index = new LabelIndex(endpoints);

const bench = new Bench({ time: 300 });
const choices = new Bench({ time: 300, iterations: 5, warmupIterations: 1 });
let sink = 0;
for (const [name, text] of Object.entries(SELECTORS)) {
  const { root } = parseSelector(text);
  const scan = () => endpoints.filter(({ labels }) => matchesSelector(root, labels));
  const chosen = [...index.select(root)];
  const scanned = scan();
  if (chosen.length !== scanned.length || !scanned.every((endpoint) => chosen.includes(endpoint))) {
    throw new Error(`${name}: the index and the scan choose differently`);
  }
  bench.add(`match, ${name}`, () => {
    for (const { labels } of endpoints) sink += matchesSelector(root, labels) ? 1 : 0;
  });
  choices.add(`choose among ${ENDPOINTS}, ${name}: index`, () => {
    sink += [...index.select(root)].length;
  });
  choices.add(`choose among ${ENDPOINTS}, ${name}: scan`, () => {
    sink += scan().length;
  });
}
await bench.run();
printPerOperation(bench, ENDPOINTS);
await choices.run();
printPerOperation(choices, 1);
if (Number.isNaN(sink)) console.log(sink);
