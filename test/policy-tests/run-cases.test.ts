import { describe, expect, it } from "vitest";
import type { Expectation, PolicyCase } from "../../src/policy-tests/cases-file.ts";
import { junitXml } from "../../src/policy-tests/junit.ts";
import { renderResult, renderTotals } from "../../src/policy-tests/report.ts";
import type { CaseResult } from "../../src/policy-tests/run-cases.ts";
import { runCases } from "../../src/policy-tests/run-cases.ts";
import type { QuestionSource } from "../../src/explain/question.ts";
import { readQuestion } from "../../src/explain/question.ts";
import { loadLab, POLICIES, tcp } from "../explain/lab.ts";

function policyCase(question: QuestionSource, expectation: Partial<Expectation>, name = "a case"): PolicyCase {
  return {
    name,
    location: { file: "cases.yaml", line: 4, column: 5 },
    question: readQuestion(question),
    scope: { node: undefined, hook: undefined },
    expect: { verdict: "allow", policy: undefined, rule: undefined, direction: undefined, pending: undefined, ...expectation },
  };
}

const WEB_TO_DB = tcp("prod/web", "prod/db", 5432);
const result = (question: QuestionSource, expectation: Partial<Expectation>): CaseResult =>
  runCases(loadLab().set, [policyCase(question, expectation)])[0] as CaseResult;

describe("a case", () => {
  it.each<[Partial<Expectation>]>([
    [{ verdict: "allow" }],
    [{ policy: "prod/knp.default.db" }],
    [{ policy: "prod/knp.default.db", rule: 0 }],
    [{ policy: "prod/knp.default.db", direction: "ingress" }],
    [{ direction: "egress" }],
    [{ policy: "profile kns.prod", direction: "egress" }],
  ])("passes if all it expects is so: %o", (expectation) => {
    expect(result(WEB_TO_DB, expectation).outcome).toBe("passed");
  });

  it.each<[Partial<Expectation>, string]>([
    [{ verdict: "deny" }, "expected deny, got allow"],
    [{ policy: "hosts" }, "expected allow by hosts, got allow by prod/knp.default.db"],
    [
      { policy: "prod/knp.default.db", rule: 1 },
      "expected allow by prod/knp.default.db rule 1, got allow by prod/knp.default.db rule 0",
    ],
    [
      { policy: "prod/knp.default.db", direction: "egress" },
      "expected allow by prod/knp.default.db, got allow by profile kns.prod",
    ],
  ])("fails if anything is not so: %o", (expectation, problem) => {
    expect(result(WEB_TO_DB, expectation)).toMatchObject({ outcome: "failed", problem });
  });

  it("may expect what staged policies would make of it", () => {
    const staged = `---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: { namespace: prod, name: db }
spec: { podSelector: { matchLabels: { app: db } } }
`;
    const { set } = loadLab(POLICIES + staged);
    const outcome = (expectation: Partial<Expectation>): CaseResult =>
      runCases(set, [policyCase(WEB_TO_DB, expectation)])[0] as CaseResult;
    expect(outcome({ pending: "deny" }).outcome).toBe("passed");
    const problem = "expected pending allow, got pending deny";
    expect(outcome({ pending: "allow" })).toMatchObject({ outcome: "failed", problem });
    // Without staged policies the pending verdict is the enforced one.
    expect(result(WEB_TO_DB, { pending: "allow" }).outcome).toBe("passed");
    expect(result(WEB_TO_DB, { pending: "deny" }).outcome).toBe("failed");
  });

  it("that expects a policy of a deny fails where no policy's rule denied, with the reason", () => {
    expect(result(tcp("dev/shell", "prod/db", 5432), { verdict: "deny", policy: "p" })).toMatchObject({
      problem: "expected deny by p, got deny by end-of-tier",
    });
  });

  it("that expects a judgement where nothing judges fails", () => {
    expect(result(tcp("203.0.113.1", "203.0.113.2", 80), { direction: "ingress" })).toMatchObject({
      problem: "expected a judgement of ingress, got none",
    });
  });

  it("that cannot be asked is an error and does not stop the others", () => {
    const cases = [policyCase(tcp("prod/none", "prod/db", 1), {}), policyCase(WEB_TO_DB, {})];
    expect(runCases(loadLab().set, cases)).toMatchObject([
      { outcome: "error", error: { code: "RAMPART_E_END_UNKNOWN" } },
      { outcome: "passed" },
    ]);
  });
});

describe("the report", () => {
  const run = (): CaseResult[] =>
    runCases(loadLab().set, [
      policyCase(WEB_TO_DB, {}, "good"),
      policyCase(WEB_TO_DB, { verdict: "deny" }, 'bad & "odd" <name>'),
      policyCase(tcp("prod/none", "prod/db", 1), {}, "lost\u0007\ud800"),
    ]);

  it("has a line for what passed, and the path to the verdict for what failed", () => {
    const results = run();
    const [passed, failed, error] = results.map(renderResult) as [string, string, string];
    expect(passed).toBe("ok    good\n");
    expect(failed.split("\n").slice(0, 3)).toEqual([
      'FAIL  bad & "odd" <name> (cases.yaml:4)',
      "      expected deny, got allow",
      "      ALLOW: prod/web (10.1.0.1) -> prod/db (10.2.0.1), tcp 5432",
    ]);
    expect(failed).toContain("      ingress of prod/db: allow, by prod/knp.default.db ingress[0]");
    expect(error).toContain("      RAMPART_E_END_UNKNOWN there is no pod");
    expect(renderTotals(results)).toBe("1 passed, 1 failed, 1 could not be asked\n");
  });

  it("as JUnit XML counts and escapes, and holds nothing that XML cannot", () => {
    const lines = junitXml([{ file: "cases.yaml", results: run() }]).split("\n");
    expect(lines.slice(0, 5)).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites tests="3" failures="1" errors="1">',
      '  <testsuite name="cases.yaml" tests="3" failures="1" errors="1">',
      '    <testcase classname="cases.yaml" name="good" file="cases.yaml" line="4"/>',
      '    <testcase classname="cases.yaml" name="bad &amp; &quot;odd&quot; &lt;name&gt;" file="cases.yaml" line="4">',
    ]);
    const xml = lines.join("\n");
    expect(xml).toContain('<failure message="expected deny, got allow">expected deny, got allow\nALLOW: prod/web');
    expect(xml).toContain('name="lost\ufffd\ufffd"');
    expect(xml).toMatch(/<error message="RAMPART_E_END_UNKNOWN [^"<]*">[^<]*<\/error>/);
    expect(xml.trimEnd().endsWith("  </testsuite>\n</testsuites>")).toBe(true);
  });
});
