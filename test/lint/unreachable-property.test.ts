import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unreachableRules } from "../../src/lint/unreachable-rule.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import { ruleMatches } from "../../src/policy/match-rule.ts";
import { policyLabel } from "../../src/policy/policy-label.ts";
import type { Direction, EntityRule, Policy, ResourceSet, Rule } from "../../src/resources/types.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE, rule } from "../policy/build.ts";

const PACKETS = 60;
const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];

/** Behind each rule come variants of it that share most of their criteria: many are covered, many only nearly. */
const cases = arbitraryResourceSet()
  .chain((set) => fc.tuple(fc.constant(set), fc.infiniteStream(fc.noBias(fc.nat({ max: 11 })))))
  .map(([set, numbers]): ResourceSet => {
    const next = (): number => numbers.next().value as number;
    const policies = set.policies.map((policy): Policy => {
      const pool = [...policy.ingress, ...policy.egress];
      const vary = (rules: readonly Rule[]): Rule[] =>
        rules.flatMap((each) => [each, variant(each, pool, next), variant(each, pool, next)]);
      return { ...policy, ingress: vary(policy.ingress), egress: vary(policy.egress) };
    });
    return { ...set, policies };
  })
  .chain((set) =>
    fc.tuple(fc.constant(set), fc.array(arbitraryPacketFor(set), { minLength: PACKETS, maxLength: PACKETS })),
  );

function variant(original: Rule, pool: readonly Rule[], next: () => number): Rule {
  const other = pool[next() % pool.length] as Rule;
  const any = rule();
  const choose = <T>(own: T, others: T, none: T): T => {
    const n = next();
    return n < 9 ? own : n < 10 ? others : none;
  };
  const entity = (side: "source" | "destination"): EntityRule => {
    const [own, others, none] = [original[side], other[side], any[side]];
    return {
      nets: choose(own.nets, others.nets, none.nets),
      notNets: choose(own.notNets, others.notNets, none.notNets),
      selector: choose(own.selector, others.selector, none.selector),
      notSelector: choose(own.notSelector, others.notSelector, none.notSelector),
      ports: choose(own.ports, others.ports, none.ports),
      notPorts: choose(own.notPorts, others.notPorts, none.notPorts),
      namedPorts: choose(own.namedPorts, others.namedPorts, none.namedPorts),
      notNamedPorts: choose(own.notNamedPorts, others.notNamedPorts, none.notNamedPorts),
      service: choose(own.service, others.service, none.service),
    };
  };
  return {
    ...original,
    ipVersion: choose(original.ipVersion, other.ipVersion, undefined),
    protocol: choose(original.protocol, other.protocol, undefined),
    notProtocol: choose(original.notProtocol, other.notProtocol, undefined),
    icmp: choose(original.icmp, other.icmp, undefined),
    notIcmp: choose(original.notIcmp, other.notIcmp, undefined),
    source: entity("source"),
    destination: entity("destination"),
  };
}

describe("a rule that is said to be unreachable", () => {
  it("is never the first to match a packet, and decides none", { timeout: 60_000 }, () => {
    const count = { covered: 0, contradictory: 0, matched: 0, decisions: 0 };
    fc.assert(
      fc.property(cases, ([set, packets]) => {
        const unreachable = new Set<string>();
        for (const policy of set.policies) {
          for (const direction of DIRECTIONS) {
            const rules = policy[direction];
            for (const { index, cause } of unreachableRules(rules)) {
              unreachable.add(`${policyLabel(policy)} ${direction} ${index}`);
              const unreached = rules[index] as Rule;
              const matching = packets.filter((packet) => ruleMatches(set, unreached, packet));
              const taker = "coveredBy" in cause ? rules[cause.coveredBy] : undefined;
              count[taker === undefined ? "contradictory" : "covered"]++;
              count.matched += matching.length;
              expect(rules.slice(0, index).filter(({ action }) => action !== "Log").includes(taker as Rule)).toBe(
                taker !== undefined,
              );
              expect(matching.filter((packet) => taker === undefined || !ruleMatches(set, taker, packet))).toEqual([]);
            }
          }
        }
        for (const endpoint of set.hostEndpoints.filter(({ node }) => node === NODE)) {
          for (const direction of DIRECTIONS) {
            for (const packet of packets) {
              const { rule: by } = evaluateEndpoint(set, NODE, endpoint, "normal", direction, packet);
              if (by === undefined) continue;
              count.decisions++;
              expect(unreachable.has(`${by.policy} ${by.direction} ${by.index}`)).toBe(false);
            }
          }
        }
      }),
      { numRuns: 100 },
    );
    // A property of nothing proves nothing: the lint must have found plenty, and packets must have come to it.
    expect(count.covered).toBeGreaterThan(200);
    expect(count.contradictory).toBeGreaterThan(5);
    expect(count.matched).toBeGreaterThan(500);
    expect(count.decisions).toBeGreaterThan(500);
  });
});
