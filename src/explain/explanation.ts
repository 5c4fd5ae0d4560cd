/**
 * The answer to one question, as data: what was decided and by whom, and for
 * every rule that was asked on the way whether it matched, and if not, which
 * of its criteria the packet fails. This is what `rampart explain --json` prints.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { PolicyClass, Reason } from "../policy/decision.ts";
import type { Action, Direction } from "../resources/types.ts";
import type { BuiltInReason } from "./built-in.ts";
import type { HostAction } from "./course.ts";
import type { StageVerdict } from "./passage.ts";
import type { FailedCriterion } from "./rule-mismatch.ts";

/** A rule of a policy or a profile. */
export interface ExplainedRule {
  /** undefined for a rule of a profile. */
  readonly tier: string | undefined;
  /** As decisions name it; `profile NAME` for a profile. */
  readonly policy: string;
  readonly direction: Direction;
  /** 0-based position in the policy's list of that direction. */
  readonly index: number;
  readonly action: Action;
  readonly location: SourceLocation;
}

export interface Candidate extends ExplainedRule {
  readonly matched: boolean;
  /** Empty exactly if it matched. */
  readonly failed: readonly FailedCriterion[];
}

/** A policy whose first matching rule says otherwise, but that was not asked. */
export interface Bystander extends ExplainedRule {
  readonly why: string;
}

/** One endpoint's judgement. */
export interface ExplainedStage {
  readonly endpoint: string;
  readonly endpointLocation: SourceLocation;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
  readonly hook: string;
  readonly verdict: StageVerdict;
  readonly reason: Reason | BuiltInReason;
  /** For `end-of-tier` and `policy`. */
  readonly tier: string | undefined;
  /** The rule that decided; with reasons `policy` and `profile` only. */
  readonly rule: ExplainedRule | undefined;
  /** Policies of this class and direction that apply to the endpoint, in the order they are asked. */
  readonly policies: readonly string[];
  /** Every rule that was asked, in order; the last one is the one that decided, if a rule did. */
  readonly candidates: readonly Candidate[];
  readonly bystanders: readonly Bystander[];
}

/** What all stages came to. */
export interface ExplainedCourse {
  readonly verdict: "allow" | "deny";
  readonly stages: readonly ExplainedStage[];
  /** What defaultEndpointToHostAction said, where it was asked. */
  readonly hostAction: HostAction | undefined;
}

export interface Explanation extends ExplainedCourse {
  readonly connection: {
    readonly from: string;
    readonly to: string;
    readonly source: string;
    readonly destination: string;
    readonly protocol: string;
    readonly sourcePort: number | undefined;
    readonly port: number | undefined;
    readonly icmpType: number | undefined;
    readonly icmpCode: number | undefined;
  };
  /** What it would come to with the staged policies in force; undefined where they apply to no stage of it. */
  readonly pending: ExplainedCourse | undefined;
  readonly remarks: readonly string[];
}
