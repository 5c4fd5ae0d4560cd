/**
 * What one file says, by itself: that of its pieces together. A file that was
 * read before is read again piece by piece, and a piece with the same text at
 * the same place gives the same resources, the objects themselves: what
 * follows from them need not be worked out again either.
 */
import { Diagnostics } from "./diagnostics.ts";
import { splitDocuments } from "./document-split.ts";
import { textHash } from "./text-hash.ts";
import type { ContentOptions, PieceContent } from "./piece-content.ts";
import { readPiece } from "./piece-content.ts";

interface KeptPiece {
  /** Its text, as `textHash` has it. */
  readonly hash: string;
  readonly content: PieceContent;
}

export interface FileContent {
  /** In the order of the file. */
  readonly contents: readonly PieceContent[];
  readonly diagnostics: Diagnostics;
  /** Documents read, items of List documents counted singly. */
  readonly documents: number;
  /** False where a limit ended the reading early. */
  readonly complete: boolean;
  /** By the line it begins with. */
  readonly pieces: ReadonlyMap<number, KeptPiece>;
}

/**
 * Reads what is not in `earlier`, the file of that name as it was before;
 * `before` documents of the load were in other files. Nothing is thrown for
 * what the text says.
 */
export function readContent(
  file: string,
  text: string,
  options: ContentOptions,
  before: number,
  earlier?: FileContent,
): FileContent {
  const { limits } = options;
  const diagnostics = new Diagnostics(limits.errors, limits.warnings);
  const contents: PieceContent[] = [];
  const pieces = new Map<number, KeptPiece>();
  let documents = 0;
  let complete = true;
  for (const piece of splitDocuments(text)) {
    const left = limits.documents - before - documents;
    let kept = earlier?.pieces.get(piece.line);
    const hash = textHash(piece.text);
    if (kept === undefined || kept.hash !== hash || kept.content.documents > left) {
      kept = { hash, content: readPiece(file, piece, options, left) };
    }
    const { content } = kept;
    contents.push(content);
    documents += content.documents;
    if (content.diagnostics !== undefined) diagnostics.absorb(content.diagnostics);
    complete = content.complete && !diagnostics.full;
    // What a limit cut short depends on what came before it.
    if (complete) pieces.set(piece.line, kept);
    if (!complete || content.endsFile) break;
  }
  return { contents, diagnostics, documents, complete, pieces };
}
