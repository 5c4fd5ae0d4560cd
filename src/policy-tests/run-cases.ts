/** Runs the cases of a file: each one passes, fails, or could not be asked. One case never affects another. */
import { RampartError } from "../errors/rampart-error.ts";
import { connect, planCourse } from "../explain/connection.ts";
import { CoursePlanner } from "../explain/course.ts";
import { EndpointDirectory } from "../explain/endpoint-directory.ts";
import { explainConnection } from "../explain/explain-connection.ts";
import type { ExplainedStage, Explanation } from "../explain/explanation.ts";
import type { ResourceSet } from "../resources/types.ts";
import type { Expectation, PolicyCase } from "./cases-file.ts";

export type CaseResult = { readonly case: PolicyCase } & (
  | { readonly outcome: "passed" }
  /** `problem`: what is not as expected, one line. */
  | { readonly outcome: "failed"; readonly problem: string; readonly explanation: Explanation }
  | { readonly outcome: "error"; readonly error: RampartError }
);

export function runCases(set: ResourceSet, cases: readonly PolicyCase[]): CaseResult[] {
  const directory = new EndpointDirectory(set);
  return cases.map((each): CaseResult => {
    try {
      const connection = connect(each.question, directory);
      const planner = new CoursePlanner(set, each.scope);
      const explanation = explainConnection(set, connection, planCourse(planner, connection));
      const problem = disagreement(each.expect, explanation);
      if (problem === undefined) return { case: each, outcome: "passed" };
      return { case: each, outcome: "failed", problem, explanation };
    } catch (error) {
      if (error instanceof RampartError) return { case: each, outcome: "error", error };
      throw error;
    }
  });
}

function disagreement(expect: Expectation, { verdict, stages, pending }: Explanation): string | undefined {
  if (verdict !== expect.verdict) return `expected ${expect.verdict}, got ${verdict}`;
  // Where no staged policy applies, what is pending is what is in force.
  const wouldBe = pending?.verdict ?? verdict;
  if (expect.pending !== undefined && wouldBe !== expect.pending) {
    return `expected pending ${expect.pending}, got pending ${wouldBe}`;
  }
  const { direction, policy, rule } = expect;
  if (direction === undefined && policy === undefined) return undefined;
  const stage = stages.findLast((each) => direction === undefined || each.direction === direction);
  if (stage === undefined) return `expected a judgement of ${direction ?? "an endpoint"}, got none`;
  if (policy === undefined) return undefined;
  const wanted = rule === undefined ? policy : `${policy} rule ${rule}`;
  const decided = stage.rule;
  if (decided?.policy === policy && (rule === undefined || decided.index === rule)) return undefined;
  return `expected ${expect.verdict} by ${wanted}, got ${verdict} by ${deciderOf(stage, rule !== undefined)}`;
}

function deciderOf({ rule, reason }: ExplainedStage, withIndex: boolean): string {
  if (rule === undefined) return reason;
  return withIndex ? `${rule.policy} rule ${rule.index}` : rule.policy;
}
