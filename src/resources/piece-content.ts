/**
 * What one piece of a file says, which is a document as a rule: its resources,
 * and everything there is to report about it. It depends on the file's name,
 * on the piece's text and line and on the options, on nothing else and no
 * earlier load, so that it may be kept for as long as those are the same.
 *
 *   text -> yaml-stream -> (List items) -> resource-registry -> a kind's `read`
 */
import type { Compactor } from "./compact.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { TextPiece } from "./document-split.ts";
import type { LoadedResource } from "./inventory.ts";
import type { LoadLimits } from "./load-limits.ts";
import type { NestingRebuilder } from "./lost-nesting.ts";
import type { LoadRecord, ProfileReference, TierReference } from "./resource-context.ts";
import { ResourceContext } from "./resource-context.ts";
import { lookUpKind } from "./resource-registry.ts";
import { describe } from "./schema-issue.ts";
import type { ValuePath, YamlDocument } from "./yaml-document.ts";
import { readYamlPiece } from "./yaml-stream.ts";
import type { YamlValue } from "./yaml-value.ts";
import { isYamlObject } from "./yaml-value.ts";

/** What others may name that a document which could not be read may have been, or may have implied. */
export type Lost = "tier" | "profile";

export interface PieceContent {
  readonly resources: readonly LoadedResource[];
  readonly tierReferences: readonly TierReference[];
  readonly profileReferences: readonly ProfileReference[];
  /** undefined: there is nothing to say. */
  readonly diagnostics: Diagnostics | undefined;
  readonly lost: ReadonlySet<Lost>;
  /** Documents read, items of List documents counted singly. */
  readonly documents: number;
  /** False where a limit ended the reading early. */
  readonly complete: boolean;
  /** Nothing after it in the file can be read. */
  readonly endsFile: boolean;
}

/** How files are read; the same for all of a load. */
export interface ContentOptions {
  readonly limits: LoadLimits;
  /** undefined: lost indentation is an error. */
  readonly rebuildNesting: NestingRebuilder | undefined;
  readonly compactor: Compactor;
}

/**
 * A document with an error yields nothing, and the others are still checked.
 * No more than `maxDocuments` are read. Nothing is thrown for what the text says.
 */
export function readPiece(
  file: string,
  piece: TextPiece,
  options: ContentOptions,
  maxDocuments: number,
): PieceContent {
  return new PieceReader(options, maxDocuments).read(file, piece);
}

const NONE: readonly never[] = [];
const NOTHING_LOST: ReadonlySet<Lost> = new Set();

class PieceReader {
  private readonly options: ContentOptions;
  private readonly maxDocuments: number;
  private readonly record: LoadRecord;
  private readonly resources: LoadedResource[] = [];
  private readonly lost = new Set<Lost>();
  private documents = 0;

  constructor(options: ContentOptions, maxDocuments: number) {
    this.options = options;
    this.maxDocuments = maxDocuments;
    const diagnostics = new Diagnostics(options.limits.errors, options.limits.warnings);
    this.record = { diagnostics, tierReferences: [], profileReferences: [] };
  }

  read(file: string, piece: TextPiece): PieceContent {
    const { limits, rebuildNesting } = this.options;
    let endsFile = false;
    for (const document of readYamlPiece(file, piece, limits, this.record.diagnostics, rebuildNesting)) {
      if (typeof document === "string") this.lose(undefined);
      else this.readDocument(document);
      endsFile = document === "unreadable, as all after it";
      if (this.stopped) break;
    }
    // A piece is kept for as long as the daemon runs, and most have none of these.
    const { diagnostics, tierReferences, profileReferences } = this.record;
    const silent = diagnostics.errorCount === 0 && diagnostics.warnings.length === 0;
    for (const resource of this.resources) this.options.compactor.compact(resource);
    return {
      resources: this.resources.slice(),
      tierReferences: tierReferences.length === 0 ? NONE : tierReferences,
      profileReferences: profileReferences.length === 0 ? NONE : profileReferences,
      diagnostics: silent ? undefined : diagnostics,
      lost: this.lost.size === 0 ? NOTHING_LOST : this.lost,
      documents: this.documents,
      complete: !this.stopped,
      endsFile,
    };
  }

  private get stopped(): boolean {
    return this.record.diagnostics.full || this.documents > this.maxDocuments;
  }

  private readDocument(document: YamlDocument): void {
    const before = this.record.diagnostics.errorCount;
    const resources: LoadedResource[] = [];
    this.readValue(document, document.value, [], resources);
    if (this.record.diagnostics.errorCount === before) {
      for (const resource of resources) this.resources.push(resource);
    } else {
      for (const { kind } of resources) this.lose(kind);
    }
  }

  private lose(kind: string | undefined): void {
    if (kind === undefined || kind === "Tier") this.lost.add("tier");
    if (kind === undefined || kind === "Profile" || kind === "Namespace" || kind === "ServiceAccount") {
      this.lost.add("profile");
    }
  }

  /** A resource, or a List of them, at `path` of its document. */
  private readValue(
    document: YamlDocument,
    value: YamlValue,
    path: ValuePath,
    into: LoadedResource[],
    itemOf: ListDefaults = NO_LIST,
  ): void {
    if (this.stopped) return;
    const context = new ResourceContext(document, path, this.record);
    if (++this.documents > this.maxDocuments) {
      const hint = "split the policies over several hosts, or remove what this host does not need";
      context.error("RAMPART_E_LIMIT", [], `more than ${this.options.limits.documents} documents`, hint);
      return;
    }
    if (!isYamlObject(value)) {
      const hint = "a resource has apiVersion, kind, metadata and spec";
      context.error("RAMPART_E_TYPE", [], `expected a resource, got ${describe(value)}`, hint);
      this.lose(undefined);
      return;
    }
    const apiVersion = value["apiVersion"] ?? itemOf.apiVersion;
    const kind = value["kind"] ?? itemOf.kind;
    if (typeof apiVersion !== "string" || typeof kind !== "string" || apiVersion === "" || kind === "") {
      const field = typeof kind !== "string" || kind === "" ? "kind" : "apiVersion";
      const hint = "a resource begins with apiVersion and kind, such as projectcalico.org/v3 and GlobalNetworkPolicy";
      context.error("RAMPART_E_KIND_UNKNOWN", [field], "expected text that says what this document is", hint);
      this.lose(undefined);
      return;
    }
    if (isList(kind, value)) {
      this.readItems(document, value["items"], apiVersion, kind, path, into);
      return;
    }
    const lookup = lookUpKind(apiVersion, kind);
    if (lookup.found === "refused") {
      context.error("RAMPART_E_KIND_UNKNOWN", ["kind"], lookup.message, lookup.hint);
      this.lose(undefined);
    } else if (lookup.found === "unrelated") {
      context.warn("RAMPART_W_KIND_IGNORED", ["kind"], `${kind} of apiVersion ${apiVersion} is no policy; ignored`);
    } else {
      const resource = lookup.kind.read(value, context);
      if (resource !== undefined) into.push(resource);
      else this.lose(kind);
    }
  }

  private readItems(
    document: YamlDocument,
    items: YamlValue | undefined,
    apiVersion: string,
    kind: string,
    path: ValuePath,
    into: LoadedResource[],
  ): void {
    const itemsPath = [...path, "items"];
    if (items === undefined || items === null) return;
    if (!Array.isArray(items)) {
      const context = new ResourceContext(document, path, this.record);
      const message = `expected a list of resources, got ${describe(items)}`;
      context.error("RAMPART_E_TYPE", ["items"], message, "start each resource with `- `");
      this.lose(undefined);
      return;
    }
    // Items of a GlobalNetworkPolicyList may leave out what the list already says.
    const itemOf = kind === "List" ? NO_LIST : { apiVersion, kind: kind.slice(0, -"List".length) };
    for (const [index, item] of items.entries()) {
      this.readValue(document, item, [...itemsPath, index], into, itemOf);
    }
  }
}

interface ListDefaults {
  readonly apiVersion: string | undefined;
  readonly kind: string | undefined;
}

const NO_LIST: ListDefaults = { apiVersion: undefined, kind: undefined };

function isList(kind: string, value: Readonly<Record<string, YamlValue>>): boolean {
  return kind === "List" || (kind.endsWith("List") && Object.hasOwn(value, "items"));
}
