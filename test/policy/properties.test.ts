import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { Decision } from "../../src/policy/decision.ts";
import { hasForwardPolicies, tierPolicies } from "../../src/policy/order.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "./arbitraries.ts";
import { NODE } from "./build.ts";

const PACKETS = 40;
const cases = arbitraryResourceSet().chain((set) =>
  fc.tuple(fc.constant(set), fc.array(arbitraryPacketFor(set), { minLength: PACKETS, maxLength: PACKETS })),
);
const WAYS = (["normal", "forward"] as const).flatMap((policyClass) =>
  (["ingress", "egress"] as const).map((direction) => ({ policyClass, direction })),
);

/** The same resources in reverse: what a loader could hand on if it did not sort. */
function reversed(set: ResourceSet): ResourceSet {
  return {
    policies: set.policies.toReversed(),
    hostEndpoints: set.hostEndpoints.toReversed(),
    networkSets: set.networkSets.toReversed(),
    tiers: set.tiers.toReversed(),
    felixConfigurations: set.felixConfigurations.toReversed(),
  };
}

describe("any resources and packets", () => {
  it("get a decision that is consistent in itself and does not depend on the order of files", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(cases, ([set, packets]) => {
        for (const endpoint of set.hostEndpoints.filter(({ node }) => node === NODE)) {
          for (const { policyClass, direction } of WAYS) {
            for (const packet of packets) {
              const decision = evaluateEndpoint(set, NODE, endpoint, policyClass, direction, packet);
              const again = evaluateEndpoint(reversed(set), NODE, endpoint, policyClass, direction, packet);
              expect(again).toEqual(decision);
              const kind = `${policyClass} ${decision.verdict} ${decision.reason}`;
              seen.set(kind, (seen.get(kind) ?? 0) + 1);
              const tiers = tierPolicies(set, endpoint, policyClass, direction).map(({ tier }) => tier.name);
              expect(problem(decision, tiers, hasForwardPolicies(set, endpoint))).toBeUndefined();
            }
          }
        }
      }),
      { numRuns: 100 },
    );
    // The generators are of use only while they reach every outcome.
    expect([...seen.keys()].toSorted()).toEqual([
      "forward allow forward-default",
      "forward allow policy",
      "forward continue forward-default",
      "forward deny end-of-tier",
      "forward deny policy",
      "normal allow failsafe",
      "normal allow policy",
      "normal allow profile",
      "normal deny end-of-tier",
      "normal deny no-policy",
      "normal deny policy",
    ]);
  });
});

/** What contradicts the contract of Decision, if anything does. */
function problem(decision: Decision, tiers: readonly string[], forwards: boolean): string | undefined {
  const { verdict, reason, rule, tier } = decision;
  if ((reason === "policy") !== (rule !== undefined)) return "a rule exactly with reason policy";
  if ((reason === "policy" || reason === "end-of-tier") !== (tier !== undefined)) return "a tier exactly then";
  if (tier !== undefined && !tiers.includes(tier)) return "a tier that applies";
  if (rule !== undefined && rule.tier !== tier) return "the rule's tier";
  if (reason === "forward-default" && (verdict === "continue") !== forwards) return "continue if it has policies";
  return undefined;
}
