/**
 * What a converter sees of the document it converts: it names a field by its
 * path from the resource's root and a problem by its code; the context knows
 * the file, the line and the column.
 */
import type { ErrorCode, SourceLocation } from "../errors/rampart-error.ts";
import type { Diagnostics, WarningCode } from "./diagnostics.ts";
import type { ValuePath, YamlDocument } from "./yaml-document.ts";
import { formatPath } from "./yaml-document.ts";

/** A policy names a tier; whether it exists is known once everything is loaded. */
export interface TierReference {
  readonly policy: string;
  readonly tier: string;
  readonly location: SourceLocation;
}

/** An endpoint lists a profile; whether it exists is known once everything is loaded. */
export interface ProfileReference {
  readonly endpoint: string;
  readonly profile: string;
  readonly location: SourceLocation;
}

/** What the resources of one file report and refer to. */
export interface LoadRecord {
  readonly diagnostics: Diagnostics;
  readonly tierReferences: TierReference[];
  readonly profileReferences: ProfileReference[];
}

export class ResourceContext {
  private readonly document: YamlDocument;
  /** Where the resource stands in its document: empty, or `items[n]` of a List. */
  private readonly base: ValuePath;
  private readonly diagnostics: Diagnostics;
  private readonly tierReferences: TierReference[];
  private readonly profileReferences: ProfileReference[];

  constructor(document: YamlDocument, base: ValuePath, record: LoadRecord) {
    this.document = document;
    this.base = base;
    this.diagnostics = record.diagnostics;
    this.tierReferences = record.tierReferences;
    this.profileReferences = record.profileReferences;
  }

  /** Errors of the whole load so far; unchanged over a conversion means the resource is good. */
  get errorCount(): number {
    return this.diagnostics.errorCount;
  }

  location(path: ValuePath): SourceLocation {
    return this.document.location([...this.base, ...path]);
  }

  isMapping(path: ValuePath): boolean {
    return this.document.isMapping([...this.base, ...path]);
  }

  /** An error at the value of `path`; the message is prefixed with the path. */
  error(code: ErrorCode, path: ValuePath, message: string, hint: string): void {
    this.report(code, path, message, hint, this.location(path));
  }

  /** An error at the key of `path`, for a field that should not be there. */
  errorAtKey(code: ErrorCode, path: ValuePath, message: string, hint: string): void {
    this.report(code, path, message, hint, this.document.keyLocation([...this.base, ...path]));
  }

  /** An error at character `offset` of the text at `path`. */
  errorInText(code: ErrorCode, path: ValuePath, offset: number, message: string, hint: string): void {
    this.report(code, path, message, hint, this.document.textLocation([...this.base, ...path], offset));
  }

  warn(code: WarningCode, path: ValuePath, message: string): void {
    this.diagnostics.warn(code, `${formatPath(path)}: ${message}`, this.location(path));
  }

  refersToTier(policy: string, tier: string, path: ValuePath): void {
    this.tierReferences.push({ policy, tier, location: this.location(path) });
  }

  /** `path` is that of a list of profile names. */
  refersToProfiles(endpoint: string, profiles: readonly string[], path: ValuePath): void {
    for (const [index, profile] of profiles.entries()) {
      this.profileReferences.push({ endpoint, profile, location: this.location([...path, index]) });
    }
  }

  /** Warns of each key of `object` that is not in `known`; such fields have no effect (SEMANTICS 1.1). */
  warnUnknownFields(path: ValuePath, object: object, known: readonly string[]): void {
    for (const key of Object.keys(object)) {
      if (known.includes(key)) continue;
      const similar = known.find((name) => name.toLowerCase() === key.toLowerCase());
      const hint = similar === undefined ? "" : `; did you mean ${similar}?`;
      const field = [...path, key];
      const location = this.document.keyLocation([...this.base, ...field]);
      this.diagnostics.warn(
        "RAMPART_W_FIELD_IGNORED",
        `${formatPath(field)}: unknown field, it has no effect${hint}`,
        location,
      );
    }
  }

  private report(code: ErrorCode, path: ValuePath, message: string, hint: string, location: SourceLocation): void {
    const text = path.length === 0 ? message : `${formatPath(path)}: ${message}`;
    this.diagnostics.error(code, text, location, hint);
  }
}
