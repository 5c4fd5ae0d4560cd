/** Every program an endpoint may have: its kind, and which policies in which direction it holds (SEMANTICS 3.1). */
import type { PolicyClass } from "../policy/decision.ts";
import type { Direction } from "../resources/types.ts";
import { ProgramKind } from "./compiled.ts";

export interface ProgramRequest {
  readonly kind: number;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
}

export const PROGRAM_REQUESTS: readonly ProgramRequest[] = [
  { kind: ProgramKind.NORMAL_INGRESS, policyClass: "normal", direction: "ingress" },
  { kind: ProgramKind.NORMAL_EGRESS, policyClass: "normal", direction: "egress" },
  { kind: ProgramKind.FORWARD_INGRESS, policyClass: "forward", direction: "ingress" },
  { kind: ProgramKind.FORWARD_EGRESS, policyClass: "forward", direction: "egress" },
  { kind: ProgramKind.PREDNAT_INGRESS, policyClass: "preDNAT", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_INGRESS, policyClass: "untracked", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_EGRESS, policyClass: "untracked", direction: "egress" },
];
