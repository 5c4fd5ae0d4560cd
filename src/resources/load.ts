/**
 * Files in, one validated and linked ResourceSet out.
 *
 *   paths -> source-files -> file-content (each file by itself, kept while its
 *   text is the same) -> loaded-resources -> link -> cross-check -> ResourceSet
 *
 * One run names every problem. Whoever applies the set must first see that
 * `errors` is empty. Nothing is thrown for what files contain.
 */
import { createHash } from "node:crypto";
import type { RampartError } from "../errors/rampart-error.ts";
import { crossCheck } from "./cross-check.ts";
import type { LoadWarning } from "./diagnostics.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { FileContent, Lost } from "./file-content.ts";
import { readContent } from "./file-content.ts";
import type { LoadedResource } from "./inventory.ts";
import { link } from "./link.ts";
import type { LoadLimits } from "./load-limits.ts";
import { DEFAULT_LIMITS } from "./load-limits.ts";
import { LoadedResources } from "./loaded-resources.ts";
import type { ProfileReference, TierReference } from "./resource-context.ts";
import { findFiles, readSource } from "./source-files.ts";
import type { ResourceSet } from "./types.ts";

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
  return new ResourceLoader(options).load(paths);
}

interface KeptContent {
  readonly hash: string;
  readonly content: FileContent;
}

/**
 * Loads again and again: a file whose text has not changed is not parsed again.
 * It keeps the content of the files of the last load and of no others. A
 * policy that did not change and names no service is the same object as before.
 */
export class ResourceLoader {
  private readonly limits: LoadLimits;
  private kept: ReadonlyMap<string, KeptContent> = new Map();

  constructor(options: LoadOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
  }

  /** As `loadResources`. */
  load(paths: readonly string[]): LoadResult {
    const diagnostics = new Diagnostics(this.limits.errors, this.limits.warnings);
    const files = findFiles(paths, diagnostics);
    const resources: LoadedResource[] = [];
    const references = { tiers: [] as TierReference[], profiles: [] as ProfileReference[] };
    const lost = new Set<Lost>();
    const loseAll = (): unknown => lost.add("tier").add("profile");
    const kept = new Map<string, KeptContent>();
    let documents = 0;
    if (diagnostics.errorCount > 0) loseAll();
    for (const file of files) {
      const content = this.readFile(file, documents, kept, diagnostics);
      if (content === undefined) {
        loseAll();
        if (diagnostics.full) break;
        continue;
      }
      documents += content.documents;
      diagnostics.absorb(content.diagnostics);
      for (const resource of content.resources) resources.push(resource);
      for (const reference of content.tierReferences) references.tiers.push(reference);
      for (const reference of content.profileReferences) references.profiles.push(reference);
      for (const each of content.lost) lost.add(each);
      if (diagnostics.full || !content.complete) {
        loseAll();
        break;
      }
    }
    this.kept = kept;
    const set = link(new LoadedResources(resources, diagnostics), diagnostics);
    crossCheck(set, references, lost, diagnostics);
    return { resources: set, errors: diagnostics.errors, warnings: diagnostics.warnings, files };
  }

  /** The file's content, kept for the next load; undefined if it is unreadable. `before` documents were read. */
  private readFile(
    file: string,
    before: number,
    keep: Map<string, KeptContent>,
    diagnostics: Diagnostics,
  ): FileContent | undefined {
    const text = readSource(file, this.limits, diagnostics);
    if (text === undefined) return undefined;
    const hash = createHash("sha256").update(text).digest("base64");
    let content = this.kept.get(file);
    if (content === undefined || content.hash !== hash || content.content.documents + before > this.limits.documents) {
      content = { hash, content: readContent(file, text, this.limits, before) };
    }
    // What a limit cut short depends on the files before it.
    if (content.content.complete) keep.set(file, content);
    return content.content;
  }
}
