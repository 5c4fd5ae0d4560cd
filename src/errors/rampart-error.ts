/**
 * Every failure a user can cause is a RampartError: a stable code to search
 * for, a sentence that says what is wrong, and a hint that says what to do.
 */

/** A place in a source file; line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** RAMPART_E_ refuses something, RAMPART_W_ warns. */
export type ErrorCode = `RAMPART_${"E" | "W"}_${string}`;

export interface RampartErrorOptions {
  readonly location?: SourceLocation;
  /** What was expected and what to do about it, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class RampartError extends Error {
  readonly code: ErrorCode;
  readonly location: SourceLocation | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: RampartErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "RampartError";
    this.code = code;
    this.location = options.location;
    this.hint = options.hint;
  }
}

/** `file:line:column: CODE message (hint)`, the layout editors and people can jump from. */
export function formatError(error: RampartError): string {
  const at = error.location;
  const where = at === undefined ? "" : `${at.file}:${at.line}:${at.column}: `;
  const hint = error.hint === undefined ? "" : ` (${error.hint})`;
  return `${where}${error.code} ${error.message}${hint}`;
}
