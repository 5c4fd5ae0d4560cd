/**
 * Paths the user names, as the files to read: a file as it is, a directory as
 * its *.yaml, *.yml and *.json files, recursively, sorted, hidden ones left
 * out (editors and Kubernetes volumes keep their temporary files there). No
 * file comes twice and no link loop is followed; no more files are looked for
 * than a load may have, and nothing is waited for: a pipe or a device is an
 * error.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { Diagnostics } from "./diagnostics.ts";
import type { LoadLimits } from "./load-limits.ts";

const EXTENSION = /\.(yaml|yml|json)$/;
const SMALLEST_READ = 4096;

/** Errors: RAMPART_E_FILE_MISSING, RAMPART_E_FILE_READ; RAMPART_E_LIMIT, and then there are no files. */
export function findFiles(paths: readonly string[], limits: LoadLimits, diagnostics: Diagnostics): readonly string[] {
  const search = new FileSearch(limits.files, diagnostics);
  for (const path of paths) search.addNamed(path);
  return search.full ? [] : search.files;
}

/** Whether `findFiles` would refuse them for their number. */
export function areTooManyFiles(paths: readonly string[], limits: LoadLimits): boolean {
  const search = new FileSearch(limits.files, new Diagnostics(0, 0));
  for (const path of paths) search.addNamed(path);
  return search.full;
}

class FileSearch {
  readonly files: string[] = [];
  private readonly seen = new Set<string>();
  private readonly limit: number;
  private readonly diagnostics: Diagnostics;
  full = false;

  constructor(limit: number, diagnostics: Diagnostics) {
    this.limit = limit;
    this.diagnostics = diagnostics;
  }

  addNamed(path: string): void {
    if (this.full) return;
    const before = this.files.length;
    const isDirectory = this.add(path);
    if (isDirectory && this.files.length === before) {
      const message = `no *.yaml, *.yml or *.json file in ${path}`;
      this.diagnostics.warn("RAMPART_W_NO_FILES", message, { file: path, line: 1, column: 1 });
    }
  }

  /** True if `path` is a directory that is read for the first time. */
  private add(path: string): boolean {
    try {
      const real = realpathSync(path);
      if (!statSync(real).isDirectory()) {
        this.addFile(path, real);
        return false;
      }
      if (this.seen.has(real)) return false;
      this.seen.add(real);
      this.addDirectory(path, real);
      return true;
    } catch (cause) {
      reportFileError(path, cause, this.diagnostics);
      return false;
    }
  }

  private addFile(path: string, real: string): void {
    if (this.seen.has(real)) return;
    this.seen.add(real);
    if (this.files.length < this.limit) this.files.push(path);
    else this.stop(path);
  }

  private stop(path: string): void {
    this.full = true;
    const message = `there are more than ${this.limit} policy files`;
    const hint = "put several policies into one file, with a line `---` between them";
    this.diagnostics.error("RAMPART_E_LIMIT", message, { file: path, line: 1, column: 1 }, hint);
  }

  /** `real` is where the directory really is. */
  private addDirectory(directory: string, real: string): void {
    const entries = readdirSync(directory, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      if (this.full) return;
      if (entry.name.startsWith(".")) continue;
      const path = join(directory, entry.name);
      // What is no link is where its directory is: nothing to ask the kernel for, be there ever so many.
      if (entry.isFile() && EXTENSION.test(entry.name)) this.addFile(path, join(real, entry.name));
      else if (EXTENSION.test(entry.name) || entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(path))) {
        this.add(path);
      }
    }
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The file's text, or undefined with the error reported. */
export function readSource(file: string, limits: LoadLimits, diagnostics: Diagnostics): string | undefined {
  const location = { file, line: 1, column: 1 };
  let bytes: Buffer | "too large";
  try {
    bytes = readBounded(file, limits.fileBytes);
  } catch (cause) {
    reportFileError(file, cause, diagnostics);
    return undefined;
  }
  if (bytes === "too large") {
    sizeError(file, limits, diagnostics);
    return undefined;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    diagnostics.error("RAMPART_E_YAML_SYNTAX", "the file is not UTF-8 text", location, "save it as UTF-8");
    return undefined;
  }
}

/** Reports RAMPART_E_YAML_LIMIT for a file that is too large. */
export function sizeError(file: string, limits: LoadLimits, diagnostics: Diagnostics): void {
  const message = `the file is larger than ${limits.fileBytes} bytes`;
  diagnostics.error("RAMPART_E_YAML_LIMIT", message, { file, line: 1, column: 1 }, "split it into several files");
}

/** Reports RAMPART_E_YAML_LIMIT for the file with which a load becomes too large. */
export function totalSizeError(file: string, limits: LoadLimits, diagnostics: Diagnostics): void {
  const message = `with this file the policy files are larger than ${limits.totalBytes} bytes together`;
  diagnostics.error("RAMPART_E_YAML_LIMIT", message, { file, line: 1, column: 1 }, "leave out what this host does not need");
}

function readBounded(file: string, limit: number): Buffer | "too large" {
  // A device may act when it is opened.
  if (!statSync(file).isFile()) throw new Error("not a regular file");
  // What stands there by now may be a pipe, which waits for a writer, or a file of the kernel's, which waits for news.
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new Error("not a regular file");
    if (stat.size > limit) return "too large";
    return readToEnd(descriptor, stat.size, limit);
  } finally {
    closeSync(descriptor);
  }
}

/** `size` is what it should have: it may grow while it is read, and files of the kernel's say 0. */
function readToEnd(descriptor: number, size: number, limit: number): Buffer | "too large" {
  let bytes = Buffer.allocUnsafe(Math.min(limit, Math.max(size, SMALLEST_READ)) + 1);
  let length = 0;
  for (;;) {
    const read = readSync(descriptor, bytes, length, bytes.length - length, null);
    length += read;
    if (length > limit) return "too large";
    if (read === 0) return bytes.subarray(0, length);
    if (length === bytes.length) bytes = Buffer.concat([bytes], Math.min(limit, 2 * length) + 1);
  }
}

function reportFileError(path: string, cause: unknown, diagnostics: Diagnostics): void {
  const location = { file: path, line: 1, column: 1 };
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR") {
    const hint = "name an existing file or directory, or repair the link";
    diagnostics.error("RAMPART_E_FILE_MISSING", `there is no file or directory ${path}`, location, hint);
    return;
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  const hint = "check its type and permissions";
  diagnostics.error("RAMPART_E_FILE_READ", `cannot read ${path}: ${reason}`, location, hint);
}
