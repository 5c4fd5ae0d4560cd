/**
 * What bringing a change into the tables costs, beside compiling everything
 * anew: 10,000 policies, 10,000 pods and 100,000 CIDRs, on a node with 100 of
 * the pods and on one with all of them. Processor time, so that other
 * processes count for little. Reads the built daemon:
 * `npm run build:ts && node bench/micro/compile.bench.mjs`.
 */
import { parseSelector } from "../../dist/selector/parse.js";
import { compileTables, TableCompiler } from "../../dist/tables/compile.js";

const SIZE = 10_000;
const NODE = "bench";
const NAMESPACES = 100;
const APPS = 20;
const NETS_A_RULE = 5;
const ROUNDS = 15;
const LOCATION = { file: "bench", line: 1, column: 1 };

let nets = 0;
for (const share of [NAMESPACES, 1]) {
  const set = largeSet(share);
  const name = `${set.workloadEndpoints.filter(isLocal).length} of ${SIZE} pods here`;
  const anew = median(Array.from({ length: 5 }, () => set), (each) => compileTables(each, each.workloadEndpoints.filter(isLocal), NODE, 1));
  print(`${name}, everything anew`, anew, anew);
  const compiler = new TableCompiler();
  let current = set;
  const follow = (change) => {
    const sets = Array.from({ length: ROUNDS }, (_, round) => (current = change(current, round)));
    return median(sets, (each) => compiler.compile(each, each.workloadEndpoints.filter(isLocal), NODE, 1));
  };
  follow((each) => each);
  print(`${name}, one label changed`, follow(relabelled), anew);
  print(`${name}, one address changed`, follow(moved), anew);
  print(`${name}, one policy changed`, follow(rewritten), anew);
  print(`${name}, read again, nothing changed`, follow(readAgain), anew);
  if (compiler.rebuilds !== 1) throw new Error(`${compiler.rebuilds} times everything was compiled anew`);
}

/** One pod in `share` is on this node. */
function largeSet(share) {
  const policies = [];
  const workloadEndpoints = [];
  for (let i = 0; i < SIZE; i++) {
    const namespace = `ns-${String(i % NAMESPACES).padStart(3, "0")}`;
    const app = Math.floor(i / NAMESPACES) % APPS;
    workloadEndpoints.push({
      kind: "WorkloadEndpoint",
      ...meta(`pod-${String(i).padStart(5, "0")}`),
      labels: { "projectcalico.org/namespace": namespace, app: `app-${app}`, tier: `tier-${i % 5}` },
      namespace,
      node: i % share === 0 ? NODE : "other",
      interfaceName: `cali${i}`,
      addresses: [{ family: 4, value: BigInt(0x0a000000 + i) }],
      profiles: [],
      ports: [{ name: "http", protocol: 6, port: 8080 }],
      allowedSources: [],
    });
    const inNamespace = (number) => parseSelector(`projectcalico.org/namespace == '${namespace}' && app == 'app-${number}'`);
    policies.push({
      kind: "NetworkPolicy",
      ...meta(`policy-${String(i).padStart(5, "0")}`),
      namespace,
      tier: "default",
      order: i % 7,
      selector: inNamespace(app),
      types: ["ingress", "egress"],
      ingress: [
        rule({ selector: inNamespace((i * 7) % APPS) }, { ports: [{ min: 80 + (i % 50), max: 80 + (i % 50) }] }),
        rule({ nets: someNets() }, i % 20 === 0 ? { namedPorts: ["http"] } : {}),
      ],
      egress: [rule({}, { nets: someNets() })],
      applyOnForward: false,
      preDNAT: false,
      doNotTrack: false,
      staged: false,
    });
  }
  const byName = (a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1);
  return {
    policies: policies.toSorted(byName),
    workloadEndpoints: workloadEndpoints.toSorted(byName),
    hostEndpoints: [],
    networkSets: [],
    tiers: [{ kind: "Tier", ...meta("default"), order: 1_000_000, defaultAction: "Deny" }],
    profiles: new Map(),
    felixConfigurations: [],
  };
}

function relabelled(set, round) {
  return withPod(set, round * 100, (pod) => ({ ...pod, labels: { ...pod.labels, app: `app-${(round * 7) % APPS}` } }));
}

function moved(set, round) {
  return withPod(set, round * 100 + 1, (pod) => ({ ...pod, addresses: [{ family: 4, value: BigInt(0x0b000000 + round) }] }));
}

function rewritten(set, round) {
  const policies = set.policies.with(round * 10, {
    ...set.policies[round * 10],
    egress: [rule({}, { nets: someNets() })],
  });
  return { ...set, policies };
}

/** Every endpoint another object that says the same. */
function readAgain(set) {
  return { ...set, workloadEndpoints: set.workloadEndpoints.map((pod) => ({ ...pod, labels: { ...pod.labels } })) };
}

function withPod(set, at, change) {
  return { ...set, workloadEndpoints: set.workloadEndpoints.with(at, change(set.workloadEndpoints[at])) };
}

function isLocal({ node }) {
  return node === NODE;
}

function someNets() {
  return Array.from({ length: NETS_A_RULE }, () => ({ family: 4, value: BigInt(0xac000000 + nets++ * 64), prefix: 26 }));
}

function rule(source, destination) {
  const all = { ipVersion: undefined, notProtocol: undefined, icmp: undefined, notIcmp: undefined };
  return { action: "Allow", ...all, protocol: 6, source: side(source), destination: side(destination), location: LOCATION };
}

function side(fields) {
  const lists = { nets: [], notNets: [], ports: [], notPorts: [], namedPorts: [], notNamedPorts: [] };
  return { ...lists, selector: undefined, notSelector: undefined, service: undefined, ...fields };
}

function meta(name) {
  return { name, labels: {}, location: LOCATION };
}

/** Median nanoseconds of processor time for an input. */
function median(inputs, run) {
  const times = inputs.map((input) => {
    const before = process.cpuUsage();
    run(input);
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1000;
  });
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

function print(name, nanoseconds, anew) {
  const ratio = nanoseconds === anew ? "" : `, 1/${(anew / nanoseconds).toFixed(0)} of anew`;
  console.log(`${name}${ratio}`.padEnd(64), nanoseconds.toFixed(0).padStart(12), "ns/op");
}
