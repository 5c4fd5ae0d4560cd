/** Why a policy set could not come into force, where the set itself is at fault. */
import { RampartError } from "../errors/rampart-error.ts";

/** The policy files have errors; each has been reported already. */
export class PolicyError extends RampartError {
  readonly errors: readonly RampartError[];

  constructor(errors: readonly RampartError[]) {
    const count = errors.length === 1 ? "1 error" : `${errors.length} errors`;
    super("RAMPART_E_POLICY", `the policy files have ${count}; nothing was changed`, {
      hint: "correct them and see with `rampart check`",
    });
    this.errors = errors;
  }
}

/** What only shows when the hooks of a set are planned; another set may do. */
export function isPolicyFault(error: unknown): error is RampartError {
  return error instanceof RampartError && error.code === "RAMPART_E_INTERFACE_NAME";
}
