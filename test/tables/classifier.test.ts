/**
 * Shapes that small generated sets do not have: many rules that differ only in
 * their ports, many overlapping networks, and more kinds of packets than the
 * caches hold.
 */
import { describe, expect, it } from "vitest";
import { PacketView } from "../../src/packet/view.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Policy, ResourceSet } from "../../src/resources/types.ts";
import { Classifier } from "../../src/tables/classifier.ts";
import { compileTables } from "../../src/tables/compile.ts";
import { felix, hostEndpoint, NODE, packet, policy, PROTOCOL, resourceSet, tier, type RuleOptions } from "../policy/build.ts";
import { decide, inWords, kindsOf } from "./decisions.ts";
import { loadView } from "./load-view.ts";

type Random = (below: number) => number;

function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % below;
  };
}

/** Disagreements with the reference evaluator on `count` packets. */
function disagreements(set: ResourceSet, random: Random, count: number, memoEntries: number): string[] {
  const [endpoint] = set.hostEndpoints;
  const compilation = compileTables(set, [endpoint], NODE, 1);
  const classifier = new Classifier(compilation.tables, memoEntries);
  const view = new PacketView();
  const wrong: string[] = [];
  for (let n = 0; n < count; n++) {
    const sent = packet({
      from: `10.0.${random(64)}.1`,
      to: `10.1.${random(64)}.1`,
      protocol: random(4) === 0 ? PROTOCOL.udp : PROTOCOL.tcp,
      sourcePort: 1000 + random(40),
      port: random(9) * 30,
    });
    loadView(view, sent);
    const [{ kind, policyClass, direction }] = kindsOf(endpoint);
    const actual = inWords(decide(compilation, classifier, compilation.tables.endpointPrograms[kind], view));
    const expected = inWords(evaluateEndpoint(set, NODE, endpoint, policyClass, direction, sent));
    if (actual !== expected) wrong.push(`${inWords(sent)}: tables ${actual}, reference ${expected}`);
  }
  return wrong;
}

function setOf(policies: readonly Policy[]): ResourceSet {
  return resourceSet({
    hostEndpoints: [hostEndpoint()],
    tiers: [tier("first", 10, "Pass"), tier("second", 20, "Pass")],
    felixConfigurations: [felix({ failsafeInbound: [], failsafeOutbound: [] })],
    policies,
  });
}

const ACTIONS = ["Allow", "Deny", "Allow", "Pass", "Log"] as const;

/** Every address of about half of 64 blocks. */
function someBlocks(random: Random, second: number): string[] {
  const blocks = Array.from({ length: 64 }, (_, i) => `10.${second}.${i}.0/24`).filter(() => random(2) === 0);
  return blocks.length === 0 ? [`10.${second}.0.0/24`] : blocks;
}

function ports(random: Random): RuleOptions["destination"] {
  const port = random(3) === 0 ? random(250) : random(9) * 30;
  return random(5) === 0 ? { ports: [[port, port + 8]] } : random(6) === 0 ? { notPorts: [[0, port]] } : { ports: [port] };
}

describe("many rules for the same addresses", () => {
  for (const memoEntries of [0, 1024]) {
    it(`are searched by port, past Pass and Log, memo of ${memoEntries}`, () => {
      const random = generator(7);
      const policies = ["first", "second", "default"].map((name) =>
        policy({
          name: `in-${name}`,
          tier: name,
          ingress: Array.from({ length: 300 }, () => ({
            action: ACTIONS[random(ACTIONS.length)],
            protocol: random(4) === 0 ? PROTOCOL.udp : PROTOCOL.tcp,
            source: random(8) === 0 ? { ports: [1000 + random(40)] } : {},
            destination: ports(random) ?? {},
          })),
        }),
      );
      expect(disagreements(setOf(policies), random, 3000, memoEntries)).toEqual([]);
    });
  }
});

describe("many overlapping networks", () => {
  for (const memoEntries of [0, 1024]) {
    it(`make more lists than there is room for, and the answers stay right, memo of ${memoEntries}`, () => {
      const random = generator(11);
      const policies = ["first", "default"].map((name) =>
        policy({
          name: `in-${name}`,
          tier: name,
          ingress: Array.from({ length: 140 }, () => ({
            action: ACTIONS[random(ACTIONS.length)],
            protocol: PROTOCOL.tcp,
            source: { nets: someBlocks(random, 0) },
            destination: { nets: someBlocks(random, 1), ...ports(random) },
          })),
        }),
      );
      expect(disagreements(setOf(policies), random, 6000, memoEntries)).toEqual([]);
    });
  }
});
