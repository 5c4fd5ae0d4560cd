/**
 * Bounds of a load. A file is input from outside: whatever it holds, reading
 * it takes bounded time and memory.
 */
export interface LoadLimits {
  /** Files of one load. */
  readonly files: number;
  /** Bytes of one file. */
  readonly fileBytes: number;
  /** Bytes of all files of a load. */
  readonly totalBytes: number;
  /** Levels of mappings and lists inside one another, aliases expanded. */
  readonly depth: number;
  /** Values that aliases (`*name`) may add to one document. */
  readonly aliasValues: number;
  /** Documents of one load, items of List documents counted singly. */
  readonly documents: number;
  /** Errors and warnings reported. */
  readonly errors: number;
  readonly warnings: number;
}

export const DEFAULT_LIMITS: LoadLimits = {
  files: 200_000,
  fileBytes: 16 * 1024 * 1024,
  totalBytes: 256 * 1024 * 1024,
  depth: 64,
  aliasValues: 100_000,
  documents: 200_000,
  errors: 200,
  warnings: 1000,
};
