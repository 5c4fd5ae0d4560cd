/** How the packet path names what it did, in numbers that index counters and in the words shown to people. */
import type { Reason } from "../policy/decision.ts";

export const HookIndex = { INPUT: 0, OUTPUT: 1, FORWARD: 2 } as const;
export const hookNames = ["input", "output", "forward"] as const;
export type HookName = (typeof hookNames)[number];

export const OutcomeVerdict = { ACCEPT: 0, DROP: 1, REJECT: 2, RETURN: 3 } as const;
export const verdictNames = ["accept", "drop", "reject", "return"] as const;
export type VerdictName = (typeof verdictNames)[number];

/** Why, where no rule of the tables decided. */
export type DatapathReason = "no-endpoint" | "unknown-interface" | "parse-failure" | "internal-error";

export const outcomeReasons = [
  "policy",
  "end-of-tier",
  "no-policy",
  "profile",
  "failsafe",
  "forward-default",
  "no-endpoint",
  "unknown-interface",
  "parse-failure",
  "internal-error",
] as const satisfies readonly (Reason | DatapathReason)[];

export const OutcomeReasonIndex = {
  NO_ENDPOINT: outcomeReasons.indexOf("no-endpoint"),
  UNKNOWN_INTERFACE: outcomeReasons.indexOf("unknown-interface"),
  PARSE_FAILURE: outcomeReasons.indexOf("parse-failure"),
  INTERNAL_ERROR: outcomeReasons.indexOf("internal-error"),
} as const;
