/**
 * The compiled tables and the reference evaluator are two independent
 * readings of SEMANTICS 3. Here they are asked the same questions.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Decision, PolicyClass, PolicyPacket } from "../../src/policy/decision.ts";
import type { Direction, ResourceSet } from "../../src/resources/types.ts";
import { PacketView } from "../../src/packet/view.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { PROGRAM_KINDS, ProgramKind, type Compilation } from "../../src/tables/compiled.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE } from "../policy/build.ts";
import { loadView } from "./load-view.ts";


const KINDS: readonly (readonly [number, PolicyClass, Direction])[] = [
  [ProgramKind.NORMAL_INGRESS, "normal", "ingress"],
  [ProgramKind.NORMAL_EGRESS, "normal", "egress"],
  [ProgramKind.FORWARD_INGRESS, "forward", "ingress"],
  [ProgramKind.FORWARD_EGRESS, "forward", "egress"],
  [ProgramKind.PREDNAT_INGRESS, "preDNAT", "ingress"],
  [ProgramKind.UNTRACKED_INGRESS, "untracked", "ingress"],
  [ProgramKind.UNTRACKED_EGRESS, "untracked", "egress"],
];
const SETS = 250;
const PACKETS = 60;

function decide(compilation: Compilation, classifier: Classifier, program: number, view: PacketView): Decision {
  const rule = classifier.classify(program, view);
  const info = compilation.rules[rule];
  const logged = [...classifier.logged.subarray(0, classifier.loggedCount)].map((id) => compilation.rules[id].rule);
  return { verdict: info.verdict, reason: info.reason, tier: info.tier, rule: info.rule, logged } as Decision;
}

/** The first disagreement in words, or the number of decisions compared. */
function compare(set: ResourceSet, packets: readonly PolicyPacket[], memoEntries: number): string | number {
  const endpoints = [...set.hostEndpoints, ...set.workloadEndpoints];
  const compilation = compileTables(set, endpoints, NODE, 1);
  const classifier = new Classifier(compilation.tables, memoEntries);
  const view = new PacketView();
  let decisions = 0;
  for (const [index, endpoint] of endpoints.entries()) {
    for (const [kind, policyClass, direction] of KINDS) {
      if (endpoint.kind === "WorkloadEndpoint" && policyClass !== "normal") continue;
      const program = compilation.tables.endpointPrograms[index * PROGRAM_KINDS + kind];
      for (const packet of packets) {
        loadView(view, packet);
        const actual = inWords(decide(compilation, classifier, program, view));
        const expected = inWords(evaluateEndpoint(set, NODE, endpoint, policyClass, direction, packet));
        if (actual !== expected) {
          const where = `${endpoint.kind} ${endpoint.name} ${policyClass} ${direction}`;
          return `${where} ${inWords(packet)}: tables ${actual}, reference ${expected}`;
        }
        decisions++;
      }
    }
  }
  return decisions;
}

function inWords(value: object): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === "bigint" ? `0x${field.toString(16)}` : field));
}

describe("compiled tables against the reference evaluator", () => {
  for (const memoEntries of [0, 16, 65536]) {
    it(`agree on generated policies and packets, memo of ${memoEntries}`, { timeout: 120_000 }, () => {
      const seed = Number(process.env["RAMPART_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      let decisions = 0;
      for (const [n, set] of fc.sample(arbitraryResourceSet(), { seed, numRuns: SETS }).entries()) {
        const packets = fc.sample(arbitraryPacketFor(set), { seed: seed + n, numRuns: PACKETS });
        // Twice, so that the second round is answered from the memo.
        const outcome = compare(set, [...packets, ...packets], memoEntries);
        if (typeof outcome === "string") throw new Error(`set ${n} of RAMPART_SEED=${seed}: ${outcome}`);
        decisions += outcome;
      }
      expect(decisions).toBeGreaterThan(200_000);
    });
  }
});
