/**
 * Files in, one validated and linked ResourceSet out.
 *
 *   paths -> source-files -> file-content -> piece-content (each document by
 *   itself, kept while its text and place are the same)
 *         -> loaded-resources -> link -> cross-check -> ResourceSet
 *
 * One run names every problem. Whoever applies the set must first see that
 * `errors` is empty. Nothing is thrown for what files contain.
 */
import type { RampartError } from "../errors/rampart-error.ts";
import { Compactor } from "./compact.ts";
import { crossCheck } from "./cross-check.ts";
import type { LoadWarning } from "./diagnostics.ts";
import { Diagnostics } from "./diagnostics.ts";
import type { FileContent } from "./file-content.ts";
import { readContent } from "./file-content.ts";
import type { LoadedResource } from "./inventory.ts";
import { LinkMemory } from "./link-memory.ts";
import { link } from "./link.ts";
import type { LoadLimits } from "./load-limits.ts";
import { DEFAULT_LIMITS } from "./load-limits.ts";
import { LoadedResources } from "./loaded-resources.ts";
import type { NestingRebuilder } from "./lost-nesting.ts";
import type { ContentOptions, Lost } from "./piece-content.ts";
import type { ProfileReference, TierReference } from "./resource-context.ts";
import { findFiles, readSource, sizeError, totalSizeError } from "./source-files.ts";
import { textHash } from "./text-hash.ts";
import type { ResourceSet } from "./types.ts";

export interface LoadOptions {
  readonly limits?: Partial<LoadLimits>;
  /** Nests documents anew whose indentation is lost (SEMANTICS 0.2); without it they are errors. */
  readonly rebuildNesting?: NestingRebuilder;
}

/** The text of a policy file, under the name that messages give it. */
export interface PolicyText {
  readonly file: string;
  readonly text: string;
}

export interface LoadResult {
  /** Complete only if `errors` is empty. */
  readonly resources: ResourceSet;
  readonly errors: readonly RampartError[];
  readonly warnings: readonly LoadWarning[];
  /** The files that were read, in order. */
  readonly files: readonly string[];
  /** What those of them held that could be read, in order. */
  readonly texts: readonly PolicyText[];
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
 * Loads again and again: a document that has not changed, and stands where it
 * stood, is not parsed again. It keeps the content of the files of the last
 * load and of no others. Endpoints, network sets and policies that name no
 * service are the same objects as before unless something in them changed.
 */
export class ResourceLoader {
  private readonly content: Omit<ContentOptions, "compactor">;
  private readonly linked = new LinkMemory();
  private kept: ReadonlyMap<string, KeptContent> = new Map();

  constructor(options: LoadOptions = {}) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.content = { limits, rebuildNesting: options.rebuildNesting };
  }

  /** As `loadResources`. */
  load(paths: readonly string[]): LoadResult {
    const { limits } = this.content;
    const diagnostics = new Diagnostics(limits.errors, limits.warnings);
    const files = findFiles(paths, limits, diagnostics);
    return this.loadFiles(files, (file) => readSource(file, limits, diagnostics), diagnostics);
  }

  /** As `load`, of texts that were files once; each name must come only once. */
  loadTexts(texts: readonly PolicyText[]): LoadResult {
    const { limits } = this.content;
    const diagnostics = new Diagnostics(limits.errors, limits.warnings);
    const byName = new Map(texts.map(({ file, text }) => [file, text]));
    const read = (file: string): string | undefined => {
      const text = byName.get(file) ?? "";
      if (Buffer.byteLength(text) <= limits.fileBytes) return text;
      sizeError(file, limits, diagnostics);
      return undefined;
    };
    return this.loadFiles([...byName.keys()], read, diagnostics);
  }

  /** `read` gives a file's text, or undefined with the error reported. */
  private loadFiles(
    files: readonly string[],
    read: (file: string) => string | undefined,
    diagnostics: Diagnostics,
  ): LoadResult {
    const texts: PolicyText[] = [];
    const resources: LoadedResource[] = [];
    const references = { tiers: [] as TierReference[], profiles: [] as ProfileReference[] };
    const lost = new Set<Lost>();
    const loseAll = (): unknown => lost.add("tier").add("profile");
    const kept = new Map<string, KeptContent>();
    const compactor = new Compactor();
    let documents = 0;
    let bytes = 0;
    if (diagnostics.errorCount > 0) loseAll();
    for (const file of files) {
      const text = read(file);
      if (text === undefined) {
        loseAll();
        if (diagnostics.full) break;
        continue;
      }
      bytes += Buffer.byteLength(text);
      if (bytes > this.content.limits.totalBytes) {
        loseAll();
        totalSizeError(file, this.content.limits, diagnostics);
        break;
      }
      texts.push({ file, text });
      const content = this.readText(file, text, documents, compactor, kept);
      documents += content.documents;
      diagnostics.absorb(content.diagnostics);
      for (const piece of content.contents) {
        for (const resource of piece.resources) resources.push(resource);
        for (const reference of piece.tierReferences) references.tiers.push(reference);
        for (const reference of piece.profileReferences) references.profiles.push(reference);
        for (const each of piece.lost) lost.add(each);
      }
      if (diagnostics.full || !content.complete) {
        loseAll();
        break;
      }
    }
    this.kept = kept;
    const set = link(new LoadedResources(resources, diagnostics), this.linked, diagnostics);
    crossCheck(set, references, lost, diagnostics);
    return { resources: set, errors: diagnostics.errors, warnings: diagnostics.warnings, files, texts };
  }

  /** The file's content, kept for the next load. `before` documents were read. */
  private readText(
    file: string,
    text: string,
    before: number,
    compactor: Compactor,
    keep: Map<string, KeptContent>,
  ): FileContent {
    const { limits } = this.content;
    const hash = textHash(text);
    let kept = this.kept.get(file);
    if (kept === undefined || kept.hash !== hash || kept.content.documents + before > limits.documents) {
      kept = { hash, content: readContent(file, text, { ...this.content, compactor }, before, kept?.content) };
    }
    // What a limit cut short depends on the files before it.
    if (kept.content.complete) keep.set(file, kept);
    return kept.content;
  }
}
