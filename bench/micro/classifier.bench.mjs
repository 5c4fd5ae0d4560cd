/**
 * Nanoseconds a lookup of the compiled tables, beside a scan of the same rules
 * in order by the reference evaluator's matcher; both must find the same rule
 * for every packet, or nothing is measured. Reads the built daemon:
 * `npm run build:ts && node bench/micro/classifier.bench.mjs`.
 *
 * Rules have networks on both sides and ports, as in a perimeter's rule set;
 * three of four packets are made to match some rule, the fourth is at random.
 * "memo hot" asks for the same packets again and again; "memo off" is what
 * every new kind of packet costs, a port scan's for example.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bench } from "tinybench";
import { PacketView } from "../../dist/packet/view.js";
import { evaluateEndpoint } from "../../dist/policy/evaluate.js";
import { ruleMatches } from "../../dist/policy/match-rule.js";
import { tierPolicies } from "../../dist/policy/order.js";
import { loadResources } from "../../dist/resources/load.js";
import { Classifier } from "../../dist/tables/classifier.js";
import { compileTables } from "../../dist/tables/compile.js";
import { ProgramKind } from "../../dist/tables/compiled.js";
import { printPerOperation } from "./per-operation.mjs";

const NODE = "bench";
const PACKETS = 1024;
const RULES_A_POLICY = 10;
const PROTOCOLS = { TCP: 6, UDP: 17 };
/** Packets whose rule the whole reference evaluator confirms; it takes milliseconds for each. */
const CONFIRMED = 32;

const bench = new Bench({ time: 500 });
// A pass over all packets takes so long that a few of them are enough.
const scans = new Bench({ time: 500, iterations: 5, warmupIterations: 1 });
let sink = 0;
for (const count of [1000, 10_000]) {
  const random = generator(count);
  const rules = Array.from({ length: count }, () => randomRule(random));
  const packets = Array.from({ length: PACKETS }, (_, n) => randomPacket(random, n % 4 === 3 ? undefined : rules));
  const views = packets.map(viewOf);

  const set = load(rules);
  const [endpoint] = set.hostEndpoints;
  const { tables, rules: compiledRules } = compileTables(set, [endpoint], NODE, 1);
  const program = tables.endpointPrograms[ProgramKind.NORMAL_INGRESS];
  const memoHot = new Classifier(tables);
  const memoOff = new Classifier(tables, 0);
  const ordered = tierPolicies(set, endpoint, "normal", "ingress").flatMap(({ policies }) =>
    policies.flatMap((policy) => policy.ingress.map((rule, index) => ({ rule, policy: policy.name, index }))),
  );
  const scan = (packet) => ordered.findIndex(({ rule }) => ruleMatches(set, rule, packet));

  packets.forEach((packet, n) => {
    const expected = ordered[scan(packet)];
    const rule = memoOff.classify(program, views[n]);
    const found = compiledRules[rule].rule;
    const same = found?.policy === expected?.policy && found?.index === expected?.index;
    const remembered = memoHot.classify(program, views[n]) === rule && memoHot.classify(program, views[n]) === rule;
    if (!same || !remembered) throw new Error(`packet ${n} of ${count} rules: the evaluators disagree`);
    if (n >= CONFIRMED) return;
    const reference = evaluateEndpoint(set, NODE, endpoint, "normal", "ingress", packet).rule;
    if (reference?.policy !== expected?.policy || reference?.index !== expected?.index) {
      throw new Error(`packet ${n} of ${count} rules: the scan is not the reference evaluator's`);
    }
  });

  for (const [name, classifier] of [["memo hot", memoHot], ["memo off", memoOff]]) {
    bench.add(`tables, ${name}, ${count} rules`, () => {
      for (let i = 0; i < PACKETS; i++) sink += classifier.classify(program, views[i]);
    });
  }
  scans.add(`linear scan, ${count} rules`, () => {
    for (let i = 0; i < PACKETS; i++) sink += scan(packets[i]);
  });
}
for (const each of [bench, scans]) {
  await each.run();
  printPerOperation(each, PACKETS);
}
if (Number.isNaN(sink)) console.log(sink);

/** Whole numbers below a bound, the same ones every time (xorshift32, Marsaglia 2003). */
function generator(seed) {
  let state = seed * 2654435761 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

function randomRule(random) {
  const source = randomNet(random, 8 + random(25));
  const destination = randomNet(random, 16 + random(17));
  const first = randomPort(random);
  const ports = random(3) === 0 ? { first, last: first + random(1000) } : { first, last: first };
  return { source, destination, ports, protocol: random(4) === 0 ? "UDP" : "TCP", action: random(2) ? "Allow" : "Deny" };
}

function randomNet(random, bits) {
  const size = 2 ** (32 - bits);
  return { address: random(2 ** bits) * size, bits, size };
}

/** Above all failsafe ports, which are decided before any rule. */
function randomPort(random) {
  return 10_000 + random(50_000);
}

/** A packet that one of `rules` matches, or one of no rule's making. */
function randomPacket(random, rules) {
  const rule = rules?.[random(rules.length)];
  const within = (net) => (net === undefined ? random(2 ** 32) : net.address + random(net.size));
  return {
    family: 4,
    protocol: PROTOCOLS[rule?.protocol ?? "TCP"],
    source: BigInt(within(rule?.source)),
    destination: BigInt(within(rule?.destination)),
    sourcePort: 1024 + random(60000),
    destinationPort: rule === undefined ? randomPort(random) : rule.ports.first,
    icmpType: undefined,
    icmpCode: undefined,
  };
}

function viewOf(packet) {
  const view = new PacketView();
  view.family = packet.family;
  view.protocol = packet.protocol;
  view.words[3] = Number(packet.source);
  view.words[7] = Number(packet.destination);
  view.hasPorts = 1;
  view.sourcePort = packet.sourcePort;
  view.destinationPort = packet.destinationPort;
  return view;
}

/** The rules as resources, read the way the daemon reads them. */
function load(rules) {
  const documents = [resource("HostEndpoint", "endpoint", { node: NODE, interfaceName: "*" })];
  for (let from = 0; from < rules.length; from += RULES_A_POLICY) {
    const ingress = rules.slice(from, from + RULES_A_POLICY).map(({ source, destination, ports, protocol, action }) => ({
      action,
      protocol,
      source: { nets: [cidr(source)] },
      destination: { nets: [cidr(destination)], ports: [`${ports.first}:${ports.last}`] },
    }));
    documents.push(resource("GlobalNetworkPolicy", `policy-${from}`, { order: from, types: ["Ingress"], ingress }));
  }
  const folder = mkdtempSync(join(tmpdir(), "rampart-bench-"));
  try {
    const file = join(folder, "rules.yaml");
    writeFileSync(file, documents.join("\n---\n"));
    const { resources, errors } = loadResources([file]);
    if (errors.length > 0) throw errors[0];
    return resources;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function resource(kind, name, spec) {
  // JSON is YAML.
  return JSON.stringify({ apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec });
}

function cidr({ address, bits }) {
  const octets = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
  return `${octets.join(".")}/${bits}`;
}
