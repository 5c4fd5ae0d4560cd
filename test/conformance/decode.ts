/**
 * The conformance suites as steps: a full set of policies, the pods they are
 * in force over, and probes with what other people's programs expect of them.
 *
 * A suite file has one topology and cases. A case is one step, or has several
 * in `steps`; a step or case may replace keys of the topology. `matrix` maps
 * `[v6:]PROTO/PORT` to one row a source and one cell a destination, both in
 * `order`, which defaults to the pods as listed and then the externals.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

export const SUITES = ["cyclonus", "k8s-e2e"] as const;
export type SuiteName = (typeof SUITES)[number];

interface Pod {
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  readonly ipv6?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[];
}

export interface Topology {
  readonly namespaces: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  readonly pods: readonly Pod[];
  /** Addresses that no pod has. */
  readonly externals: readonly { readonly name: string; readonly ip: string; readonly ipv6?: string }[];
}

export interface Probe {
  /** `namespace/pod`, or an external's address. */
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  /** A name is resolved on the destination pod. */
  readonly port: number | string;
  readonly family: 4 | 6;
  readonly expect: "allow" | "deny";
  /** A pod and itself: always allowed, by convention. */
  readonly self: boolean;
}

export interface Step {
  /** `case` or `case/step`. */
  readonly id: string;
  readonly description: string;
  readonly tags: readonly string[];
  /** Kubernetes objects, all that are in force. */
  readonly policies: readonly object[];
  readonly topology: Topology;
  readonly probes: readonly Probe[];
}

interface StepSource {
  readonly policies: readonly object[];
  readonly matrix: Readonly<Record<string, readonly string[]>>;
  readonly order?: readonly string[];
  readonly topologyOverrides?: Partial<Topology>;
}

interface CaseSource extends Partial<StepSource> {
  readonly id: string;
  readonly description: string;
  readonly tags?: readonly string[];
  readonly steps?: readonly StepSource[];
}

interface SuiteSource {
  readonly topology: Omit<Topology, "externals"> & Partial<Pick<Topology, "externals">>;
  readonly cases: readonly CaseSource[];
}

const FIXTURES = join(import.meta.dirname, "../fixtures/conformance");

export function suiteSteps(name: SuiteName): Step[] {
  const text = gunzipSync(readFileSync(join(FIXTURES, `${name}.json.gz`))).toString("utf8");
  return decodeSuite(JSON.parse(text) as SuiteSource);
}

export function decodeSuite(suite: SuiteSource): Step[] {
  return suite.cases.flatMap((each) => {
    const { id, description, tags = [] } = each;
    const sources = each.steps ?? [each as CaseSource & StepSource];
    return sources.map((source, index): Step => {
      const topology = { externals: [], ...suite.topology, ...each.topologyOverrides, ...source.topologyOverrides };
      const order = source.order ?? each.order ?? defaultOrder(topology);
      return {
        id: each.steps === undefined ? id : `${id}/${index}`,
        description,
        tags,
        policies: source.policies,
        topology,
        probes: Object.entries(source.matrix).flatMap(([key, rows]) => probesOf(key, rows, order, topology)),
      };
    });
  });
}

/** Namespaces and pods as the documents an API server would hold; policies are not in it. */
export function inventory(topology: Topology): object[] {
  const namespaces = topology.namespaces.map(({ name, labels }) => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels },
  }));
  const pods = topology.pods.map(({ namespace, name, labels, ip, ipv6, ports }) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: {
      nodeName: "node-1",
      containers: [{ name: "server", ports: ports.map(({ port, ...rest }) => ({ ...rest, containerPort: port })) }],
    },
    status: { phase: "Running", podIPs: [ip, ipv6].filter((each) => each !== undefined).map((each) => ({ ip: each })) },
  }));
  return [...namespaces, ...pods];
}

function defaultOrder({ pods, externals }: Topology): string[] {
  return [...pods.map(({ namespace, name }) => `${namespace}/${name}`), ...externals.map(({ name }) => name)];
}

function probesOf(key: string, rows: readonly string[], order: readonly string[], topology: Topology): Probe[] {
  const [, v6, protocol, port] = /^(v6:)?([^/]+)\/(.+)$/.exec(key) ?? unreadable(`matrix key ${key}`);
  if (rows.length !== order.length) unreadable(`matrix ${key}: ${rows.length} rows for ${order.length} endpoints`);
  const family = v6 === undefined ? 4 : 6;
  const shared = { protocol, port: /^\d+$/.test(port) ? Number(port) : port, family } as const;
  const addressed = order.map((name) => endOf(name, family, topology));
  return rows.flatMap((row, from) => {
    if (row.length !== order.length) unreadable(`matrix ${key}: row ${from} has ${row.length} cells`);
    return [...row].flatMap((cell, to): Probe | [] => {
      const verdict = CELLS[cell] ?? unreadable(`cell ${cell}`);
      if (verdict === "skip") return [];
      return { from: addressed[from], to: addressed[to], ...shared, ...verdict };
    });
  });
}

const DENY = { expect: "deny", self: false } as const;

/** `i`, `e`, `b` and `X` say which end denies, as far as the suite's author knew. */
const CELLS: Readonly<Record<string, Pick<Probe, "expect" | "self"> | "skip">> = {
  ".": { expect: "allow", self: false },
  S: { expect: "allow", self: true },
  X: DENY,
  i: DENY,
  e: DENY,
  b: DENY,
  "-": "skip",
  "?": "skip",
};

function endOf(name: string, family: 4 | 6, { externals }: Topology): string {
  const external = externals.find((each) => each.name === name);
  if (external === undefined) return name;
  return (family === 4 ? external.ip : external.ipv6) ?? unreadable(`external ${name} has no IPv${family} address`);
}

function unreadable(what: string): never {
  throw new Error(`not a conformance suite: ${what}`);
}
