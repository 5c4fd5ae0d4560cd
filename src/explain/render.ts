/**
 * An explanation for people: the verdict first, and what staged policies would
 * make of it, then each endpoint's judgement, then the rules that came nearest,
 * those with the fewest failed criteria first.
 */
import { describeLabel, isStagedLabel } from "../policy/policy-label.ts";
import type {
  Bystander,
  Candidate,
  ExplainedCourse,
  ExplainedRule,
  ExplainedStage,
  Explanation,
} from "./explanation.ts";

const NEAREST = 5;

export function renderExplanation(explanation: Explanation): string {
  const { verdict, connection, stages, hostAction, pending, remarks } = explanation;
  const { from, to, source, destination, protocol, port, icmpType } = connection;
  const kind = icmpType === undefined ? protocol : `${protocol} type ${icmpType}`;
  const what = port === undefined ? kind : `${protocol} ${port}`;
  const lines = [`${verdict.toUpperCase()}: ${end(from, source)} -> ${end(to, destination)}, ${what}`];
  if (pending !== undefined) lines.push(...pendingLines(pending));
  for (const stage of stages) lines.push("", ...stageLines(stage));
  if (hostAction !== undefined) {
    lines.push("", `workload to its own host: defaultEndpointToHostAction is ${hostAction}`);
    if (hostAction === "Return") lines.push("  the host's own rules decide further");
  }
  if (remarks.length > 0) lines.push("", ...remarks.map((remark) => `note: ${remark}`));
  return `${lines.join("\n")}\n`;
}

/** The verdict with the staged policies in force, the staged policy that would decide it, and who would have a say. */
function pendingLines({ verdict, stages, hostAction }: ExplainedCourse): string[] {
  const deciding = verdict === "deny" ? stages.slice(-1) : stages;
  const rule = deciding.findLast((stage) => stage.rule !== undefined && isStagedLabel(stage.rule.policy))?.rule;
  const by = rule === undefined ? "" : ` by ${describeLabel(rule.policy)}`;
  const lines = [`pending (with the staged policies in force): ${verdict}${by}`];
  const speaking = stages.filter((stage) => stage.verdict !== "continue" || stage.policies.length > 0);
  for (const stage of speaking) lines.push(`  ${stageSummary(stage)}`);
  if (hostAction !== undefined) lines.push(`  workload to its own host: defaultEndpointToHostAction is ${hostAction}`);
  return lines;
}

/** One line: who decided the stage, and by what. */
export function stageSummary(stage: ExplainedStage): string {
  const { endpoint, policyClass, direction, verdict } = stage;
  const kind = policyClass === "normal" ? direction : `${policyClass} ${direction}`;
  return `${kind} of ${endpoint}: ${verdict === "exempt" ? "allow" : verdict}, ${reasonText(stage)}`;
}

function reasonText({ reason, tier, rule, policies, policyClass }: ExplainedStage): string {
  switch (reason) {
    case "policy":
    case "profile":
      return rule === undefined ? `by a ${reason}` : `by ${ruleText(rule)}`;
    case "end-of-tier":
      return `end of tier ${tier}: ${listed(policies)} applied and no rule matched`;
    case "no-policy":
      return "no policy applied, and no profile allows it";
    case "encapsulation":
      return "a workload may send no tunnel packets";
    case "neighbour-discovery":
      return "neighbour discovery with its host is always allowed";
    case "failsafe":
      return "a failsafe port";
    case "forward-default":
      return policies.length > 0 ? "no rule for forwarded traffic matched" : "no policy for forwarded traffic applied";
    case "no-match":
      return policies.length > 0 ? `no ${policyClass} rule matched` : `no ${policyClass} policy applied`;
  }
}

function stageLines(stage: ExplainedStage): string[] {
  const lines = [stageSummary(stage)];
  const near = stage.candidates.filter(({ matched }) => !matched).toSorted((a, b) => a.failed.length - b.failed.length);
  if (near.length > 0) {
    lines.push("  asked before that, without a match:", ...near.slice(0, NEAREST).flatMap(candidateLines));
    if (near.length > NEAREST) lines.push(`    and ${near.length - NEAREST} more; --json lists all`);
  }
  const { bystanders } = stage;
  if (bystanders.length > 0) {
    lines.push("  would decide otherwise, but was not asked:", ...bystanders.slice(0, NEAREST).flatMap(bystanderLines));
    if (bystanders.length > NEAREST) lines.push(`    and ${bystanders.length - NEAREST} more; --json lists all`);
  }
  return lines;
}

function candidateLines(candidate: Candidate): string[] {
  return [
    `    ${ruleText(candidate)}`,
    ...candidate.failed.map(({ criterion, wanted, got }) => `      ${criterion}: wants ${wanted}; this is ${got}`),
  ];
}

function bystanderLines(bystander: Bystander): string[] {
  return [`    ${ruleText(bystander)}`, `      ${bystander.why}`];
}

/** `policy direction[index] (Action) at file:line`; what is built in stands in no file. */
function ruleText({ policy, direction, index, action, location }: ExplainedRule): string {
  const { file, line } = location;
  const place = file.startsWith("(") ? file.slice(1, -1) : `${file}:${line}`;
  return `${policy} ${direction}[${index}] (${action}), ${place}`;
}

function listed(policies: readonly string[]): string {
  const more = policies.length > NEAREST ? ` and ${policies.length - NEAREST} more` : "";
  return `${policies.slice(0, NEAREST).join(", ")}${more}`;
}

function end(text: string, address: string): string {
  return text === address ? text : `${text} (${address})`;
}
