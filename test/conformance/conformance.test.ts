/**
 * The suites' expectations against the reference evaluator and against the
 * compiled tables, each asked for itself: the source's egress, then the
 * destination's ingress. Policies and pods come through the YAML loader.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PacketView } from "../../src/packet/view.ts";
import { parseAddress } from "../../src/address/address.ts";
import type { Address } from "../../src/address/address.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Direction, ResourceSet, WorkloadEndpoint } from "../../src/resources/types.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { PROGRAM_KINDS, ProgramKind } from "../../src/tables/compiled.ts";
import { loadView } from "../tables/load-view.ts";
import type { Probe, Step } from "./decode.ts";
import { SUITES, suiteSteps } from "./decode.ts";
import type { Disagreement } from "./step-files.ts";
import { expectNone, loadStep, writeStep } from "./step-files.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "rampart-conformance-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What one endpoint says in one direction. */
type Judge = (endpoint: WorkloadEndpoint, direction: Direction, packet: PolicyPacket) => boolean;

function byReference(set: ResourceSet): Judge {
  return (endpoint, direction, packet) =>
    evaluateEndpoint(set, endpoint.node, endpoint, "normal", direction, packet).verdict === "allow";
}

function byTables(set: ResourceSet): Judge {
  const { workloadEndpoints } = set;
  const { tables, rules } = compileTables(set, workloadEndpoints, "node-1", 1);
  const classifier = new Classifier(tables);
  const view = new PacketView();
  return (endpoint, direction, packet) => {
    const kind = direction === "ingress" ? ProgramKind.NORMAL_INGRESS : ProgramKind.NORMAL_EGRESS;
    const program = tables.endpointPrograms[workloadEndpoints.indexOf(endpoint) * PROGRAM_KINDS + kind];
    loadView(view, packet);
    return rules[classifier.classify(program, view)].verdict === "allow";
  };
}

const PROTOCOLS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132 };

function verdict(set: ResourceSet, judge: Judge, probe: Probe): string {
  const source = endOf(set, probe.from, probe.family);
  const destination = endOf(set, probe.to, probe.family);
  const protocol = PROTOCOLS[probe.protocol] ?? fail(`protocol ${probe.protocol}`);
  const packet: PolicyPacket = {
    family: probe.family,
    protocol,
    source: source.address.value,
    destination: destination.address.value,
    sourcePort: 49_152,
    destinationPort: portOf(probe.port, protocol, destination.endpoint),
    icmpType: undefined,
    icmpCode: undefined,
  };
  const leaves = source.endpoint === undefined || judge(source.endpoint, "egress", packet);
  const arrives = destination.endpoint === undefined || judge(destination.endpoint, "ingress", packet);
  return leaves && arrives ? "allow" : "deny";
}

interface End {
  readonly endpoint: WorkloadEndpoint | undefined;
  readonly address: Address;
}

function endOf(set: ResourceSet, name: string, family: 4 | 6): End {
  const external = parseAddress(name);
  if (external !== undefined) return { endpoint: undefined, address: external };
  const endpoint = set.workloadEndpoints.find((each) => `${each.namespace}/${each.name}` === name) ?? fail(name);
  const address = endpoint.addresses.find((each) => each.family === family) ?? fail(`${name} IPv${family}`);
  return { endpoint, address };
}

function portOf(port: number | string, protocol: number, endpoint: WorkloadEndpoint | undefined): number {
  if (typeof port === "number") return port;
  return endpoint?.ports.find((each) => each.name === port && each.protocol === protocol)?.port ?? fail(`port ${port}`);
}

function fail(what: string): never {
  throw new Error(`the suite names what is not there: ${what}`);
}

function disagreements(steps: readonly Step[], judgeOf: (set: ResourceSet) => Judge): Disagreement[] {
  return steps.flatMap((step) => {
    const set = loadStep(writeStep(step, folder));
    const judge = judgeOf(set);
    return step.probes.flatMap((probe): Disagreement | [] => {
      if (probe.self) return [];
      const got = verdict(set, judge, probe);
      return got === probe.expect ? [] : { step, probe, got };
    });
  });
}

describe.each(SUITES)("%s", (suite) => {
  const steps = suiteSteps(suite);

  it("the reference evaluator agrees with every probe of every step", () => {
    expectNone(disagreements(steps, byReference));
  });

  it("the compiled tables agree with every probe of every step", () => {
    expectNone(disagreements(steps, byTables));
  });

  it("a judge that allows everything does not agree: the probes can fail", () => {
    const denials = steps.flatMap(({ probes }) => probes).filter(({ expect }) => expect === "deny").length;
    expect(disagreements(steps, () => () => true)).toHaveLength(denials);
  });
});
