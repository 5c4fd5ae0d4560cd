/**
 * Any resources, ends and packets: the batch, which asks the compiled tables,
 * and the explanation, which asks the reference evaluator, give one answer,
 * and the account of the rules leads to the rule that decided.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAddress } from "../../src/address/address.ts";
import { RampartError } from "../../src/errors/rampart-error.ts";
import { BatchAnswers } from "../../src/explain/batch-answers.ts";
import { connect, planCourse } from "../../src/explain/connection.ts";
import type { Scope } from "../../src/explain/course.ts";
import { CoursePlanner, HOOKS } from "../../src/explain/course.ts";
import { EndpointDirectory, endpointName } from "../../src/explain/endpoint-directory.ts";
import { explainConnection } from "../../src/explain/explain-connection.ts";
import type { Explanation } from "../../src/explain/explanation.ts";
import { readQuestion } from "../../src/explain/question.ts";
import type { PolicyPacket } from "../../src/policy/decision.ts";
import { evaluateEndpoint } from "../../src/policy/evaluate.ts";
import type { ResourceSet } from "../../src/resources/types.ts";
import { arbitraryPacketFor, arbitraryResourceSet } from "../policy/arbitraries.ts";
import { NODE } from "../policy/build.ts";

const SETS = 60;
const PACKETS = 40;

/** A packet, and which endpoints it is between: positions, or an address of its own. */
interface Drawn {
  readonly packet: PolicyPacket;
  readonly from: number;
  readonly to: number;
}

const scope: fc.Arbitrary<Scope> = fc.oneof(
  fc.constant({ node: undefined, hook: undefined }),
  fc.record({ node: fc.constant(NODE), hook: fc.constantFrom(undefined, ...HOOKS) }),
);

const cases = arbitraryResourceSet().chain((set) =>
  fc.record({
    set: fc.constant(set),
    scope,
    drawn: fc.array(
      fc.record({ packet: arbitraryPacketFor(set), from: fc.nat({ max: 9 }), to: fc.nat({ max: 9 }) }),
      { minLength: PACKETS, maxLength: PACKETS },
    ),
  }),
);

function questionOf(set: ResourceSet, { packet, from, to }: Drawn): object {
  const endpoints = [...set.workloadEndpoints, ...set.hostEndpoints];
  const end = (position: number, value: bigint): string => {
    const address = formatAddress({ family: packet.family, value });
    const endpoint = endpoints[position];
    return endpoint === undefined ? address : `${endpointName(endpoint)}@${address}`;
  };
  const { protocol, destinationPort, sourcePort, icmpType, icmpCode } = packet;
  return {
    from: end(from, packet.source),
    to: end(to, packet.destination),
    protocol,
    port: destinationPort,
    sport: sourcePort,
    icmpType,
    icmpCode,
    family: packet.family,
  };
}

function explained(set: ResourceSet, question: object, within: Scope): Explanation | string {
  try {
    const connection = connect(readQuestion(question), new EndpointDirectory(set));
    const planner = new CoursePlanner(set, within);
      return explainConnection(set, connection, planCourse(planner, connection));
  } catch (error) {
    if (error instanceof RampartError) return error.code;
    throw error;
  }
}

/** The explanation as the batch would put it. */
function shortly(explanation: Explanation | string): object {
  if (typeof explanation === "string") return { error: explanation };
  const { verdict, stages, hostAction } = explanation;
  const nothing = { verdict, policy: null, rule: null };
  if (hostAction !== undefined) return { ...nothing, direction: "egress", reason: "endpoint-to-host" };
  const last = stages.at(-1);
  if (last === undefined) return { ...nothing, direction: null, reason: "unpoliced" };
  const rule = last.reason === "policy" ? last.rule : undefined;
  const { direction, reason } = last;
  return { verdict, policy: rule?.policy ?? null, rule: rule?.index ?? null, direction, reason };
}

function answered(line: string): { verdict: string; reason: string } | { error: string } {
  const answer = JSON.parse(line) as { verdict: string; reason: string } | { error: { code: string } };
  return "error" in answer ? { error: answer.error.code } : answer;
}

/** A packet whose ports or type are not known cannot be asked about. */
function askable({ protocol, destinationPort, icmpType, family }: PolicyPacket): boolean {
  if ([6, 17, 132, 136].includes(protocol)) return destinationPort !== undefined && destinationPort > 0;
  return (protocol !== 1 && protocol !== 58) || (icmpType !== undefined && family === (protocol === 1 ? 4 : 6));
}

describe("any resources, ends and packets", () => {
  it("get one answer from the batch and from the explanation", { timeout: 120_000 }, () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(cases, ({ set, scope: within, drawn }) => {
        const batch = new BatchAnswers(set, within);
        for (const each of drawn.filter(({ packet }) => askable(packet))) {
          const question = questionOf(set, each);
          const answer = answered(batch.answer(JSON.stringify(question)));
          expect({ question, answer }).toEqual({ question, answer: shortly(explained(set, question, within)) });
          const kind = "error" in answer ? "error" : `${answer.verdict} ${answer.reason}`;
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
        }
      }),
      { numRuns: SETS },
    );
    // A test that only ever met one kind of answer would prove little.
    const kinds = ["allow policy", "deny policy", "deny end-of-tier", "allow unpoliced", "deny endpoint-to-host"];
    expect(kinds.filter((kind) => !seen.has(kind))).toEqual([]);
  });

  it("get an account of the rules that leads to the one that decided", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(cases, ({ set, scope: within, drawn }) => {
        for (const each of drawn.filter(({ packet }) => askable(packet))) {
          const explanation = explained(set, questionOf(set, each), within);
          if (typeof explanation === "string") continue;
          for (const stage of explanation.stages) {
            const endpoint = [...set.workloadEndpoints, ...set.hostEndpoints].find(
              (candidate) => endpointName(candidate) === stage.endpoint,
            );
            if (endpoint === undefined) throw new Error(`no endpoint ${stage.endpoint}`);
            const { policyClass, direction } = stage;
            if (stage.reason === "encapsulation" || stage.reason === "neighbour-discovery") continue;
            const decision = evaluateEndpoint(set, endpoint.node, endpoint, policyClass, direction, each.packet);
            const { verdict, reason, tier } = stage;
            const rule = reason === "policy" ? stage.rule : undefined;
            const reference = rule && { tier: rule.tier, policy: rule.policy, direction, index: rule.index };
            expect({ verdict, reason, tier, rule: reference, logged: decision.logged }).toEqual(decision);
            for (const { matched, failed } of stage.candidates) expect(failed.length === 0).toBe(matched);
            const decides = ["Allow", "Deny"];
            const deciding = stage.candidates.filter(({ matched, action }) => matched && decides.includes(action));
            const last = stage.candidates.at(-1);
            // A profile's Pass denies; a policy's goes on to the next tier.
            const byRule = reason === "policy" || (reason === "profile" && last?.action !== "Pass");
            expect(deciding).toEqual(byRule ? [last] : []);
          }
        }
      }),
      { numRuns: SETS },
    );
  });
});
