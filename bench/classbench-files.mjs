/**
 * ClassBench filter sets and traces (test/fixtures/classbench/README.md), as
 * rules of the policy language and as columns for a linear scan, which is the
 * ground truth.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const ANY_PORT = { min: 0, max: 65535 };
const LOCATION = { file: "classbench", line: 1, column: 1 };

/** Reads NAME.rules.gz, highest priority first. */
export function readRules(directory, name) {
  return lines(join(directory, `${name}.rules.gz`)).map((line) => {
    const [source, destination, sourcePort, destinationPort, protocol] = line.slice(1).split("\t");
    const [number, mask] = protocol.split("/").map(Number);
    return {
      source: prefix(source),
      destination: prefix(destination),
      sourcePort: range(sourcePort),
      destinationPort: range(destinationPort),
      protocol: mask === 0 ? undefined : number,
    };
  });
}

/** Reads NAME.trace.gz: source, destination, source port, destination port, protocol of each header, five words each. */
export function readTrace(directory, name) {
  const headers = lines(join(directory, `${name}.trace.gz`));
  const words = new Uint32Array(headers.length * 5);
  headers.forEach((line, n) => words.set(line.split("\t", 5).map(Number), n * 5));
  return words;
}

/** One host endpoint under one policy of these rules, all of which allow; what matches none is denied. */
export function asResources(rules, parseSelector) {
  const meta = (name) => ({ name, labels: {}, location: LOCATION });
  const tier = { kind: "Tier", ...meta("default"), order: 1_000_000, defaultAction: "Deny" };
  const policy = {
    kind: "GlobalNetworkPolicy",
    ...meta("classbench"),
    namespace: undefined,
    tier: "default",
    order: undefined,
    selector: parseSelector("all()"),
    types: ["ingress"],
    ingress: rules.map(asRule),
    egress: [],
    applyOnForward: false,
    preDNAT: false,
    doNotTrack: false,
    staged: false,
  };
  const endpoint = {
    kind: "HostEndpoint",
    ...meta("endpoint"),
    node: "bench",
    interfaceName: "*",
    expectedIPs: [],
    profiles: [],
    ports: [],
  };
  const felix = {
    kind: "FelixConfiguration",
    ...meta("default"),
    failsafeInbound: [],
    failsafeOutbound: [],
    denyAction: undefined,
    interfacePrefixes: undefined,
    defaultEndpointToHostAction: undefined,
  };
  return {
    policies: [policy],
    hostEndpoints: [endpoint],
    workloadEndpoints: [],
    networkSets: [],
    tiers: [tier],
    profiles: new Map(),
    felixConfigurations: [felix],
  };
}

/** Index of the first rule that matches the header, -1 for none, by comparison with one rule after the other. */
export class LinearScan {
  #columns;
  #count;

  constructor(rules) {
    this.#count = rules.length;
    this.#columns = new Float64Array(rules.length * 9);
    rules.forEach((rule, i) => {
      const ranges = [rule.source, rule.destination, rule.sourcePort, rule.destinationPort];
      this.#columns.set([...ranges.flatMap(({ min, max }) => [min, max]), rule.protocol ?? -1], i * 9);
    });
  }

  first(headers, at) {
    const c = this.#columns;
    const source = headers[at];
    const destination = headers[at + 1];
    const sourcePort = headers[at + 2];
    const destinationPort = headers[at + 3];
    const protocol = headers[at + 4];
    for (let i = 0, r = 0; i < this.#count; i++, r += 9) {
      if (source < c[r] || source > c[r + 1] || destination < c[r + 2] || destination > c[r + 3]) continue;
      if (sourcePort < c[r + 4] || sourcePort > c[r + 5] || destinationPort < c[r + 6] || destinationPort > c[r + 7]) continue;
      if (c[r + 8] === -1 || c[r + 8] === protocol) return i;
    }
    return -1;
  }
}

/** Fills a view with a header; every header has ports, which the rules of ICMP do not ask for. */
export function loadHeader(view, headers, at) {
  view.family = 4;
  view.words[3] = headers[at];
  view.words[7] = headers[at + 1];
  view.hasPorts = 1;
  view.sourcePort = headers[at + 2];
  view.destinationPort = headers[at + 3];
  view.protocol = headers[at + 4];
}

function asRule({ source, destination, sourcePort, destinationPort, protocol }, index) {
  const side = (net, ports) => ({
    nets: net.bits === 0 ? [] : [{ family: 4, value: BigInt(net.min), prefix: net.bits }],
    notNets: [],
    selector: undefined,
    notSelector: undefined,
    ports: ports.min === ANY_PORT.min && ports.max === ANY_PORT.max ? [] : [ports],
    notPorts: [],
    namedPorts: [],
    notNamedPorts: [],
    service: undefined,
  });
  return {
    action: "Allow",
    ipVersion: 4,
    protocol,
    notProtocol: undefined,
    icmp: undefined,
    notIcmp: undefined,
    source: side(source, sourcePort),
    destination: side(destination, destinationPort),
    location: { ...LOCATION, line: index + 1 },
  };
}

function lines(file) {
  return gunzipSync(readFileSync(file)).toString("latin1").trim().split("\n");
}

/** `a.b.c.d/bits`, host bits cleared. */
function prefix(text) {
  const [address, length] = text.split("/");
  const bits = Number(length);
  const size = 2 ** (32 - bits);
  const value = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const min = Math.floor(value / size) * size;
  return { min, max: min + size - 1, bits };
}

/** `low : high` */
function range(text) {
  const [min, max] = text.split(":").map(Number);
  return { min, max };
}
