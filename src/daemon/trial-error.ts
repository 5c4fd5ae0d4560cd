/** What applying can meet, besides errors in the policies themselves. */
import { RampartError } from "../errors/rampart-error.ts";

export function pendingError(): RampartError {
  return new RampartError("RAMPART_E_APPLY_PENDING", "another apply has not come to its end", {
    hint: "`rampart status` tells whether a set is on trial: then `rampart confirm` or `rampart rollback` first",
  });
}

export function nothingError(message: string): RampartError {
  return new RampartError("RAMPART_E_APPLY_NONE", message, { hint: "`rampart status` tells what is in force" });
}

export function unconfirmedError(): RampartError {
  const message = "the policy files hold a set that was applied on trial and not confirmed; the one before it is in force";
  return new RampartError("RAMPART_E_UNCONFIRMED", message, {
    hint: "change the files, put the old ones back with `rampart rollback`, or enforce them with `rampart apply`",
  });
}

export function halfWrittenError(): RampartError {
  const message = "the policy files are not the set that was applied: writing them was interrupted";
  return new RampartError("RAMPART_E_APPLY_FILES", message, {
    hint: "see with `rampart diff` how they differ from what is in force, and use `rampart apply`",
  });
}

/** The state directory does not do what an apply needs of it. */
export function stateError(message: string, cause: unknown): RampartError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RampartError("RAMPART_E_APPLY_STATE", `${message}: ${reason}`, {
    hint: "apply keeps what it needs for the way back in stateDirectory; make it writable for the daemon",
    cause,
  });
}

export function changedMeanwhileError(): RampartError {
  return new RampartError("RAMPART_E_APPLY_FILES", "the policy files are not the set that is in force", {
    hint: "somebody changed them meanwhile; `rampart diff` without a path shows how, `rampart apply` enforces them",
  });
}
