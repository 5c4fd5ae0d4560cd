/**
 * The compiled tables and the reference evaluator are two independent
 * readings of SEMANTICS 3. Here they are asked the same questions.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import { evaluatePending } from "../../src/policy/pending.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { PacketView } from "../../src/packet/view.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { NO_PROGRAM, PROGRAM_KINDS } from "../../src/tables/compiled.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE } from "../policy/build.ts";
import { decide, inWords, kindsOf } from "./decisions.ts";
import { loadView } from "./load-view.ts";

const SETS = 170;
const PACKETS = 60;

interface Compared {
  /** Decisions in force. */
  enforced: number;
  /** Pending decisions of endpoints that have a program for them, and how many of those are not the ones in force. */
  pending: number;
  changed: number;
}

/** The first disagreement in words, or the number of decisions compared. */
function compare(set: ResourceSet, packets: readonly PolicyPacket[], memoEntries: number): string | Compared {
  const endpoints = [...set.hostEndpoints, ...set.workloadEndpoints];
  const compilation = compileTables(set, endpoints, NODE, 1);
  const classifier = new Classifier(compilation.tables, memoEntries);
  const view = new PacketView();
  const compared = { enforced: 0, pending: 0, changed: 0 };
  for (const [index, endpoint] of endpoints.entries()) {
    for (const { kind, policyClass, direction } of kindsOf(endpoint)) {
      const at = index * PROGRAM_KINDS + kind;
      const program = compilation.tables.endpointPrograms[at];
      // Without a program the pending decisions are those in force.
      const pendingProgram = compilation.tables.pendingPrograms[at] ?? NO_PROGRAM;
      for (const packet of packets) {
        loadView(view, packet);
        const actual = inWords(decide(compilation, classifier, program, view));
        const expected = inWords(evaluateEndpoint(set, NODE, endpoint, policyClass, direction, packet));
        if (actual !== expected) {
          const where = `${endpoint.kind} ${endpoint.name} ${policyClass} ${direction}`;
          return `${where} ${inWords(packet)}: tables ${actual}, reference ${expected}`;
        }
        compared.enforced++;
        const wouldBe = inWords(evaluatePending(set, NODE, endpoint, policyClass, direction, packet));
        const decided =
          pendingProgram === NO_PROGRAM ? actual : inWords(decide(compilation, classifier, pendingProgram, view));
        if (decided !== wouldBe) {
          const where = `${endpoint.kind} ${endpoint.name} pending ${policyClass} ${direction}`;
          return `${where} ${inWords(packet)}: tables ${decided}, reference ${wouldBe}`;
        }
        if (pendingProgram !== NO_PROGRAM) compared.pending++;
        if (decided !== actual) compared.changed++;
      }
    }
  }
  return compared;
}

describe("compiled tables against the reference evaluator", () => {
  for (const memoEntries of [0, 16, 65536]) {
    it(`agree on generated policies and packets, memo of ${memoEntries}`, { timeout: 120_000 }, () => {
      const seed = Number(process.env["RAMPART_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
      const total = { enforced: 0, pending: 0, changed: 0 };
      for (const [n, set] of fc.sample(arbitraryResourceSet(), { seed, numRuns: SETS }).entries()) {
        const packets = fc.sample(arbitraryPacketFor(set), { seed: seed + n, numRuns: PACKETS });
        // Twice, so that the second round is answered from the memo.
        const outcome = compare(set, [...packets, ...packets], memoEntries);
        if (typeof outcome === "string") throw new Error(`set ${n} of RAMPART_SEED=${seed}: ${outcome}`);
        total.enforced += outcome.enforced;
        total.pending += outcome.pending;
        total.changed += outcome.changed;
      }
      expect(total.enforced).toBeGreaterThan(200_000);
      // Enough that a wrong pending program shows.
      expect(total.pending).toBeGreaterThan(10_000);
      expect(total.changed).toBeGreaterThan(1_000);
    });
  }
});
