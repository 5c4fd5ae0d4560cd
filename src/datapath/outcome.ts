/** How the packet path names what it did, in numbers that index counters and in the words shown to people. */
import type { Reason } from "../policy/decision.ts";

/** Where a packet was judged: the filter hooks, then the others of SEMANTICS 3.4. */
export const HookIndex = {
  INPUT: 0,
  OUTPUT: 1,
  FORWARD: 2,
  PREROUTING: 3,
  POSTROUTING: 4,
  RAW_PREROUTING: 5,
  RAW_OUTPUT: 6,
} as const;
export const hookNames = [
  "input",
  "output",
  "forward",
  "prerouting",
  "postrouting",
  "raw-prerouting",
  "raw-output",
] as const;
export type HookName = (typeof hookNames)[number];

export const OutcomeVerdict = { ACCEPT: 0, DROP: 1, REJECT: 2, RETURN: 3 } as const;
export const verdictNames = ["accept", "drop", "reject", "return"] as const;
export type VerdictName = (typeof verdictNames)[number];

/** Why, where no rule of the tables decided. */
type DatapathReason =
  | "no-endpoint"
  | "unknown-interface"
  | "unknown-workload"
  | "workload-to-host"
  | "host-to-workload"
  | "neighbour-discovery"
  | "workload-tunnel"
  | "invalid"
  | "flow-table-full"
  | "parse-failure"
  | "internal-error";

export const outcomeReasons = [
  "policy",
  "end-of-tier",
  "no-policy",
  "profile",
  "failsafe",
  "forward-default",
  "no-match",
  "no-endpoint",
  "unknown-interface",
  "unknown-workload",
  "workload-to-host",
  "host-to-workload",
  "neighbour-discovery",
  "workload-tunnel",
  "invalid",
  "flow-table-full",
  "parse-failure",
  "internal-error",
] as const satisfies readonly (Reason | DatapathReason)[];

const indexOf = (reason: (typeof outcomeReasons)[number]): number => outcomeReasons.indexOf(reason);

export const OutcomeReasonIndex = {
  FAILSAFE: indexOf("failsafe"),
  NO_ENDPOINT: indexOf("no-endpoint"),
  UNKNOWN_INTERFACE: indexOf("unknown-interface"),
  UNKNOWN_WORKLOAD: indexOf("unknown-workload"),
  WORKLOAD_TO_HOST: indexOf("workload-to-host"),
  HOST_TO_WORKLOAD: indexOf("host-to-workload"),
  NEIGHBOUR_DISCOVERY: indexOf("neighbour-discovery"),
  WORKLOAD_TUNNEL: indexOf("workload-tunnel"),
  INVALID: indexOf("invalid"),
  FLOW_TABLE_FULL: indexOf("flow-table-full"),
  PARSE_FAILURE: indexOf("parse-failure"),
  INTERNAL_ERROR: indexOf("internal-error"),
} as const;

/** Room for reasons in a decision that no rule gave. */
const REASONS = 64;

/** A decision as flows hold it: a rule id, or below zero a verdict and reason that no rule gave. */
export function packDecision(rule: number, verdict: number, reason: number): number {
  return rule >= 0 ? rule : -(verdict * REASONS + reason) - 1;
}

/** The verdict of a decision below zero. */
export function decisionVerdict(decision: number): number {
  return Math.floor((-decision - 1) / REASONS);
}

/** The reason of a decision below zero. */
export function decisionReason(decision: number): number {
  return (-decision - 1) % REASONS;
}
