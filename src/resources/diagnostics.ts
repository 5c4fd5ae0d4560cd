/**
 * Where a load collects what it has to say. Errors forbid the load to be
 * applied, warnings do not. Both lists and every message are bounded: a broken
 * file of a million lines must not become a million messages. `errorCount` counts on past the
 * bound, so "did this document fail" stays answerable.
 */
import { RampartError } from "../errors/rampart-error.ts";
import type { ErrorCode, SourceLocation } from "../errors/rampart-error.ts";

const MAX_MESSAGE = 2000;

export type WarningCode = `RAMPART_W_${string}`;

/** Something that was accepted, but perhaps not as its author meant it. */
export interface LoadWarning {
  readonly code: WarningCode;
  readonly message: string;
  readonly location: SourceLocation;
  /** A document that was read otherwise than it stands there, as it was read. */
  readonly yaml?: string;
}

/** `file:line:column: CODE message`, as errors are written. */
export function formatWarning({ code, message, location }: LoadWarning): string {
  return `${location.file}:${location.line}:${location.column}: ${code} ${message}`;
}

export class Diagnostics {
  readonly errors: RampartError[] = [];
  readonly warnings: LoadWarning[] = [];
  errorCount = 0;
  private readonly maxErrors: number;
  private readonly maxWarnings: number;
  private warningCount = 0;

  constructor(maxErrors: number, maxWarnings: number) {
    this.maxErrors = maxErrors;
    this.maxWarnings = maxWarnings;
  }

  /** True once errors are no longer reported; reading on would say nothing new. */
  get full(): boolean {
    return this.errorCount > this.maxErrors;
  }

  error(code: ErrorCode, message: string, location: SourceLocation, hint: string): void {
    this.addError(new RampartError(code, clip(message), { location, hint: clip(hint) }));
  }

  warn(code: WarningCode, message: string, location: SourceLocation, yaml?: string): void {
    this.addWarning({ code, message: clip(message), location, ...(yaml === undefined ? {} : { yaml }) });
  }

  /** Everything that `other`, of the same bounds, collected. */
  absorb(other: Diagnostics): void {
    for (const error of other.errors) this.addError(error);
    for (const warning of other.warnings) this.addWarning(warning);
  }

  private addError(error: RampartError): void {
    this.errorCount++;
    if (this.errorCount <= this.maxErrors) {
      this.errors.push(error);
    } else if (this.errorCount === this.maxErrors + 1) {
      this.errors.push(
        new RampartError("RAMPART_E_LIMIT", `more than ${this.maxErrors} errors; the rest is not reported`, {
          ...(error.location === undefined ? {} : { location: error.location }),
          hint: "correct the errors above and check again",
        }),
      );
    }
  }

  private addWarning(warning: LoadWarning): void {
    this.warningCount++;
    if (this.warningCount <= this.maxWarnings) {
      this.warnings.push(warning);
    } else if (this.warningCount === this.maxWarnings + 1) {
      const text = `more than ${this.maxWarnings} warnings; the rest is not reported`;
      this.warnings.push({ code: "RAMPART_W_LIMIT", message: text, location: warning.location });
    }
  }
}

/** A message may quote the file, which may have a word of megabytes. */
function clip(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`;
}
