/**
 * What the stages of a course come to. Whoever decides a stage, the reference
 * evaluator or the compiled tables, the sequence is this one (SEMANTICS 3.4).
 */
import type { PolicyVerdict } from "../policy/decision.ts";
import type { Course, HostAction, Stage } from "./course.ts";

export interface CourseEnd {
  readonly verdict: "allow" | "deny";
  /** Set where a workload reached its own host and this setting spoke last. */
  readonly hostAction: HostAction | undefined;
}

/** `exempt`: allowed, and nothing else is asked in this passage. */
export type StageVerdict = PolicyVerdict | "exempt";

/** Calls `decide` for each stage the packet reaches, in order, up to the one that denies it. */
export function follow<S extends Stage>(course: Course<S>, decide: (stage: S) => StageVerdict): CourseEnd {
  passage: for (const { stages, hostAction } of course.passages) {
    let accepted = false;
    for (const stage of stages) {
      if (accepted && stage.skippedIfAccepted) continue;
      const verdict = decide(stage);
      if (verdict === "exempt") continue passage;
      if (verdict === "deny") return { verdict: "deny", hostAction: undefined };
      const early = stage.policyClass === "preDNAT" || stage.policyClass === "untracked";
      if (early && verdict === "allow") accepted = true;
    }
    if (hostAction !== undefined) return { verdict: hostAction === "Drop" ? "deny" : "allow", hostAction };
  }
  return { verdict: "allow", hostAction: undefined };
}
