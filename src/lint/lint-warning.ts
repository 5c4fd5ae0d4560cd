/** What the lint has to say: resources that are valid, but hardly as their author meant them. */
import type { SourceLocation } from "../errors/rampart-error.ts";
import { policyLabel } from "../policy/policy-label.ts";
import type { WarningCode } from "../resources/diagnostics.ts";
import type { Policy } from "../resources/types.ts";

export interface LintWarning {
  readonly code: WarningCode;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
  /** The policy, rule or endpoint it is about. */
  readonly location: SourceLocation;
}

/** A policy as messages name it. */
export function policyTitle(policy: Policy): string {
  return `${policy.kind} ${policyLabel(policy)}`;
}
