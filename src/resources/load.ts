/**
 * Files in, one validated ResourceSet out.
 *
 *   paths -> source-files -> yaml-stream -> (List items) -> resource-registry
 *         -> a kind's `read` -> cross-check -> ResourceSet
 *
 * A document with an error yields nothing, and the others are still checked,
 * so that one run names every problem. Whoever applies the set must first see
 * that `errors` is empty. Nothing is thrown for what files contain.
 */
import type { RampartError } from "../errors/rampart-error.ts";
import { crossCheck } from "./cross-check.ts";
import type { LoadWarning } from "./diagnostics.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { LoadLimits } from "./load-limits.ts";
import { DEFAULT_LIMITS } from "./load-limits.ts";
import type { LoadRecord } from "./resource-context.ts";
import { ResourceContext } from "./resource-context.ts";
import { lookUpKind } from "./resource-registry.ts";
import { describe } from "./schema-issue.ts";
import { findFiles, readSource } from "./source-files.ts";
import type { Resource, ResourceSet } from "./types.ts";
import type { ValuePath, YamlDocument } from "./yaml-document.ts";
import { readYamlStream } from "./yaml-stream.ts";
import type { YamlValue } from "./yaml-value.ts";
import { isYamlObject } from "./yaml-value.ts";

export interface LoadOptions {
  readonly limits?: Partial<LoadLimits>;
}

export interface LoadResult {
  /** Complete only if `errors` is empty. */
  readonly resources: ResourceSet;
  readonly errors: readonly RampartError[];
  readonly warnings: readonly LoadWarning[];
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/** Reads files and directories (see source-files.ts); the order of `paths` only orders messages. */
export function loadResources(paths: readonly string[], options: LoadOptions = {}): LoadResult {
  return new Load({ ...DEFAULT_LIMITS, ...options.limits }).run(paths);
}

class Load {
  private readonly limits: LoadLimits;
  private readonly diagnostics: Diagnostics;
  private readonly record: LoadRecord;
  private readonly resources: Resource[] = [];
  private documents = 0;
  /** False once a document that may have been a Tier could not be read. */
  private tiersComplete = true;

  constructor(limits: LoadLimits) {
    this.limits = limits;
    this.diagnostics = new Diagnostics(limits.errors, limits.warnings);
    this.record = { diagnostics: this.diagnostics, tierReferences: [] };
  }

  run(paths: readonly string[]): LoadResult {
    const files = findFiles(paths, this.diagnostics);
    if (this.diagnostics.errorCount > 0) this.tiersComplete = false;
    for (const file of files) {
      if (this.stopped) break;
      this.readFile(file);
    }
    const resources = crossCheck(this.resources, this.tiersComplete && !this.stopped, this.record);
    return { resources, errors: this.diagnostics.errors, warnings: this.diagnostics.warnings, files };
  }

  private get stopped(): boolean {
    return this.diagnostics.full || this.documents > this.limits.documents;
  }

  private readFile(file: string): void {
    const text = readSource(file, this.limits, this.diagnostics);
    if (text === undefined) {
      this.tiersComplete = false;
      return;
    }
    for (const document of readYamlStream(file, text, this.limits, this.diagnostics)) {
      if (document === "unreadable") this.tiersComplete = false;
      else this.readDocument(document);
      if (this.stopped) return;
    }
  }

  private readDocument(document: YamlDocument): void {
    const before = this.diagnostics.errorCount;
    const resources: Resource[] = [];
    this.readValue(document, document.value, [], resources);
    if (this.diagnostics.errorCount === before) this.resources.push(...resources);
  }

  /** A resource, or a List of them, at `path` of its document. */
  private readValue(
    document: YamlDocument,
    value: YamlValue,
    path: ValuePath,
    into: Resource[],
    itemOf: ListDefaults = NO_LIST,
  ): void {
    if (this.stopped) return;
    const context = new ResourceContext(document, path, this.record);
    if (++this.documents > this.limits.documents) {
      const hint = "split the policies over several hosts, or remove what this host does not need";
      context.error("RAMPART_E_LIMIT", [], `more than ${this.limits.documents} documents`, hint);
      return;
    }
    if (!isYamlObject(value)) {
      const hint = "a resource has apiVersion, kind, metadata and spec";
      context.error("RAMPART_E_TYPE", [], `expected a resource, got ${describe(value)}`, hint);
      this.tiersComplete = false;
      return;
    }
    const apiVersion = value["apiVersion"] ?? itemOf.apiVersion;
    const kind = value["kind"] ?? itemOf.kind;
    if (typeof apiVersion !== "string" || typeof kind !== "string" || apiVersion === "" || kind === "") {
      const field = typeof kind !== "string" || kind === "" ? "kind" : "apiVersion";
      const hint = "a resource begins with apiVersion and kind, such as projectcalico.org/v3 and GlobalNetworkPolicy";
      context.error("RAMPART_E_KIND_UNKNOWN", [field], "expected text that says what this document is", hint);
      this.tiersComplete = false;
      return;
    }
    if (isList(kind, value)) {
      this.readItems(document, value["items"], apiVersion, kind, path, into);
      return;
    }
    const lookup = lookUpKind(apiVersion, kind);
    if (lookup.found === "refused") {
      context.error("RAMPART_E_KIND_UNKNOWN", ["kind"], lookup.message, lookup.hint);
      this.tiersComplete = false;
    } else if (lookup.found === "unrelated") {
      context.warn("RAMPART_W_KIND_IGNORED", ["kind"], `${kind} of apiVersion ${apiVersion} is no policy; ignored`);
    } else {
      const resource = lookup.kind.read(value, context);
      if (resource !== undefined) into.push(resource);
      else if (lookup.kind.kind === "Tier") this.tiersComplete = false;
    }
  }

  private readItems(
    document: YamlDocument,
    items: YamlValue | undefined,
    apiVersion: string,
    kind: string,
    path: ValuePath,
    into: Resource[],
  ): void {
    const itemsPath = [...path, "items"];
    if (items === undefined || items === null) return;
    if (!Array.isArray(items)) {
      const context = new ResourceContext(document, path, this.record);
      const message = `expected a list of resources, got ${describe(items)}`;
      context.error("RAMPART_E_TYPE", ["items"], message, "start each resource with `- `");
      this.tiersComplete = false;
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
