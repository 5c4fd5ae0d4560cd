/**
 * A compiler that has seen other sets before decides as one that starts anew
 * and as the reference evaluator, whatever changed and in whatever order; and
 * what it gave away earlier still decides as it did, though memory that nobody
 * refers to is used again.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketView } from "../../src/packet/view.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import { evaluatePending } from "../../src/policy/pending.ts";
import type { Endpoint, ResourceSet } from "../../src/resources/types.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { compileTables, TableCompiler } from "../../src/tables/compile.ts";
import { NO_PROGRAM, PROGRAM_KINDS, type Compilation } from "../../src/tables/compiled.ts";
import { sharedBlocks } from "../../src/tables/shared-arrays.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE } from "../policy/build.ts";
import { decide, inWords, kindsOf } from "./decisions.ts";
import { loadView } from "./load-view.ts";

const SEQUENCES = 40;
const EDITS = 12;
const PACKETS = 12;

/** A collection takes longer than a step. */
const COLLECT_EVERY = 5;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

type Random = (below: number) => number;

/** As in a worker, one classifier for whatever tables come. */
let classifier: Classifier | undefined;

/** Everything the tables decide for these packets, a line each. */
function decisions(compilation: Compilation, packets: readonly PolicyPacket[]): string[] {
  if (classifier === undefined) classifier = new Classifier(compilation.tables, 64);
  else classifier.use(compilation.tables);
  const asked = classifier;
  const view = new PacketView();
  return compilation.endpoints.flatMap((endpoint, index) =>
    kindsOf(endpoint).flatMap(({ kind }) =>
      packets.map((packet) => {
        loadView(view, packet);
        const at = index * PROGRAM_KINDS + kind;
        const program = compilation.tables.endpointPrograms[at];
        const pending = compilation.tables.pendingPrograms[at] ?? NO_PROGRAM;
        const inForce = inWords(decide(compilation, asked, program, view));
        const would = pending === NO_PROGRAM ? inForce : inWords(decide(compilation, asked, pending, view));
        return `${inForce} pending ${would}`;
      }),
    ),
  );
}

function expected(set: ResourceSet, endpoints: readonly Endpoint[], packets: readonly PolicyPacket[]): string[] {
  return endpoints.flatMap((endpoint) =>
    kindsOf(endpoint).flatMap(({ policyClass, direction }) =>
      packets.map((packet) => {
        const inForce = inWords(evaluateEndpoint(set, NODE, endpoint, policyClass, direction, packet));
        const would = inWords(evaluatePending(set, NODE, endpoint, policyClass, direction, packet));
        return `${inForce} pending ${would}`;
      }),
    ),
  );
}

/** The set with one thing changed; `other` is where new things come from. */
function edit(set: ResourceSet, other: ResourceSet, random: Random): ResourceSet {
  switch (random(12)) {
    case 0:
      return { ...set, hostEndpoints: relabel(set.hostEndpoints, other.hostEndpoints, random) };
    case 1:
      return { ...set, workloadEndpoints: relabel(set.workloadEndpoints, other.workloadEndpoints, random) };
    case 2: {
      const addresses = other.workloadEndpoints.flatMap((each) => each.addresses);
      const moved = set.workloadEndpoints.map((each, i) => (i === 0 ? { ...each, addresses: addresses.slice(0, 2) } : each));
      return { ...set, workloadEndpoints: moved };
    }
    case 3:
      return { ...set, networkSets: exchange(set.networkSets, other.networkSets, random) };
    case 4:
      return { ...set, policies: exchange(set.policies, other.policies, random).filter(hasTier(set)) };
    case 5:
      return { ...set, policies: set.policies.filter((_, i) => i !== random(set.policies.length)) };
    case 6:
      return { ...set, policies: copied(set.policies), workloadEndpoints: copied(set.workloadEndpoints) };
    case 7:
      return { ...set, workloadEndpoints: exchange(set.workloadEndpoints, other.workloadEndpoints, random) };
    case 8:
      return { ...set, hostEndpoints: exchange(set.hostEndpoints, other.hostEndpoints, random) };
    case 9:
      return { ...set, workloadEndpoints: set.workloadEndpoints.toReversed(), policies: set.policies.toReversed() };
    case 10:
      return { ...set, profiles: new Map([...set.profiles, ...[...other.profiles].filter(() => random(2) === 0)]) };
    default:
      return random(3) === 0 ? { ...set, felixConfigurations: other.felixConfigurations } : set;
  }
}

/** New objects that say the same, as from a file that was read again. */
function copied<T extends object>(list: readonly T[]): T[] {
  return list.map((each) => ({ ...each }));
}

function hasTier(set: ResourceSet): (policy: { readonly tier: string }) => boolean {
  return (policy) => set.tiers.some(({ name }) => name === policy.tier);
}

function relabel<E extends Endpoint>(list: readonly E[], others: readonly E[], random: Random): E[] {
  const from = others[random(Math.max(others.length, 1))];
  const at = random(Math.max(list.length, 1));
  return list.map((each, i) => (i === at && from !== undefined ? { ...each, labels: from.labels, ports: from.ports } : each));
}

/** One of the list is taken away, one of the others put in unless its name is there already. */
function exchange<T extends { readonly name: string }>(list: readonly T[], others: readonly T[], random: Random): T[] {
  const at = random(Math.max(list.length, 1) * 2);
  const kept = list.filter((_, i) => i !== at);
  const from = others[random(Math.max(others.length, 1))];
  if (from === undefined || kept.some(({ name }) => name === from.name)) return kept;
  return [...kept, from].toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

describe("a compiler that goes on from the set before", () => {
  it("decides as one that starts anew and as the reference evaluator", { timeout: 240_000 }, async () => {
    const seed = Number(process.env["RAMPART_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
    let state = seed | 1;
    const random: Random = (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      return (state >>> 8) % below;
    };
    const sets = fc.sample(arbitraryResourceSet(), { seed, numRuns: SEQUENCES * 2 });
    const wrong: string[] = [];
    let [rebuilds, usedAgain] = [0, 0];
    for (let sequence = 0; sequence < SEQUENCES && wrong.length === 0; sequence++) {
      let set = sets[sequence * 2];
      const other = sets[sequence * 2 + 1];
      const compiler = new TableCompiler();
      let earlier: { readonly compilation: Compilation; readonly packets: PolicyPacket[]; readonly said: string[] } | undefined;
      for (let step = 0; step <= EDITS; step++) {
        const packets = [
          ...fc.sample(arbitraryPacketFor(set), { seed: seed + sequence * 100 + step, numRuns: PACKETS }),
          ...fc.sample(arbitraryPacketFor(other), { seed: seed + sequence * 100 + step, numRuns: PACKETS }),
        ];
        const endpoints = [...set.hostEndpoints, ...set.workloadEndpoints];
        if (step % COLLECT_EVERY === COLLECT_EVERY - 1) {
          collect();
          // What was found is told in a turn of its own.
          await new Promise((resolve) => setTimeout(resolve));
        }
        const { free } = sharedBlocks;
        const compilation = compiler.compile(set, endpoints, NODE, step);
        if (sharedBlocks.free < free) usedAgain++;
        const said = decisions(compilation, packets);
        const anew = decisions(compileTables(set, endpoints, NODE, step), packets);
        const reference = expected(set, endpoints, packets);
        said.forEach((line, i) => {
          if (line === reference[i] && line === anew[i]) return;
          wrong.push(`RAMPART_SEED=${seed} sequence ${sequence} step ${step}: ${line}, anew ${anew[i]}, reference ${reference[i]}`);
        });
        if (earlier !== undefined && decisions(earlier.compilation, earlier.packets).join() !== earlier.said.join()) {
          wrong.push(`RAMPART_SEED=${seed} sequence ${sequence} step ${step}: the tables before it changed`);
        }
        earlier = { compilation, packets, said };
        set = edit(set, other, random);
      }
      rebuilds += compiler.rebuilds;
    }
    expect(wrong.slice(0, 3)).toEqual([]);
    // Most edits are to be followed, not started over for, or this test shows nothing.
    expect(rebuilds).toBeLessThan((SEQUENCES * EDITS) / 2);
    expect(usedAgain).toBeGreaterThan(SEQUENCES);
  });
});
