/** What is said of the choice of endpoints, under a code to watch for. */

export interface ChoiceWarning {
  /** The first is for a host, a workload's interface or a family of addresses that no policy protects. */
  readonly code: "RAMPART_W_NOT_PROTECTED" | "RAMPART_W_ENDPOINT";
  readonly message: string;
}

export function unprotected(message: string): ChoiceWarning {
  return { code: "RAMPART_W_NOT_PROTECTED", message };
}

export function about(message: string): ChoiceWarning {
  return { code: "RAMPART_W_ENDPOINT", message };
}
