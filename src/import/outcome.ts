/**
 * What an import has to say. Nothing is ever changed, left out or guessed
 * without a Repair or a Skipped that names the line.
 */
import type { ErrorCode } from "../errors/rampart-error.ts";
import type { WarningCode } from "../resources/diagnostics.ts";
import type { YamlObject } from "../resources/yaml-value.ts";
import type { KindSchema } from "./schema-tree.ts";

/** Something that was read otherwise than it stands there. */
export interface Repair {
  readonly code: WarningCode;
  readonly line: number;
  readonly message: string;
}

export interface ImportedDocument {
  readonly schema: KindSchema;
  readonly value: YamlObject;
  /** Where it begins. */
  readonly line: number;
  readonly repairs: readonly Repair[];
}

/** A piece that looked like a resource and was not written; a `RAMPART_W_` code where nothing was lost by it. */
export interface Skipped {
  readonly code: ErrorCode;
  readonly line: number;
  readonly message: string;
}

export interface ImportOutcome {
  readonly documents: readonly ImportedDocument[];
  readonly skipped: readonly Skipped[];
}

export const NOTHING: ImportOutcome = { documents: [], skipped: [] };

export function skip(code: ErrorCode, line: number, message: string): ImportOutcome {
  return { documents: [], skipped: [{ code, line, message }] };
}
