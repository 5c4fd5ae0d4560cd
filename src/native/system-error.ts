/**
 * What the addon and Node put into the errors they throw: a code ("EPERM",
 * "MODULE_NOT_FOUND") and a text.
 */

/** The error's code, undefined when it carries none. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The first line of what went wrong: Node appends a require stack to some messages. */
export function failureText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
