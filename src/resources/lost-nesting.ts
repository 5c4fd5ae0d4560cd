/**
 * Documents whose indentation is lost (SEMANTICS 0.2): what marks them, and
 * what a repair of them has to give. The repair itself is handed in by whoever
 * loads files, for it knows more of articles and their damage than a loader
 * should.
 */
import type { WarningCode } from "./diagnostics.ts";
import type { PlacedNode } from "./placed-node.ts";
import type { YamlObject, YamlValue } from "./yaml-value.ts";
import { isYamlObject } from "./yaml-value.ts";

/** Something to tell the user about a repair; `offset` counts characters of the document. */
export interface NestingNote {
  readonly code: WarningCode;
  readonly message: string;
  readonly offset: number;
  /** The whole document as it is read, with the note that announces the repair. */
  readonly yaml?: string;
}

export interface RebuiltNesting {
  readonly value: YamlObject;
  readonly root: PlacedNode;
  readonly notes: readonly NestingNote[];
}

/** The indentation is lost, and one line fits nowhere. */
export interface HopelessNesting {
  readonly problem: string;
  readonly offset: number;
}

/**
 * Nests the fields of the document in `text` anew. undefined if lost
 * indentation is not what is wrong with it.
 */
export type NestingRebuilder = (text: string) => RebuiltNesting | HopelessNesting | undefined;

/** True if nothing is in `metadata` and `spec`, so that what belongs there may stand beside them. */
export function hasLostNesting(value: YamlValue): boolean {
  if (!isYamlObject(value)) return false;
  return value["metadata"] === null && (value["spec"] ?? null) === null;
}
