/**
 * The file that keeps a policy set: a line that vouches for the rest, then
 * every policy file as it was read. Texts and not tables, so that any later
 * version can read them; names relative, so that messages have their places.
 *
 *   rampart-last-good 1 sha256:<hex of all that follows> <its length in bytes>
 *   {"file":"policy.d/web.yaml","bytes":214}
 *   <214 bytes of UTF-8, and a line feed>
 *   ...
 *
 * Nothing of a file is believed before its checksum fits.
 */
import { createHash } from "node:crypto";
import type { PolicyText } from "../resources/load.ts";

const MAGIC = "rampart-last-good";
const VERSION = 1;
const LINE_FEED = 0x0a;
/** Enough for the header of the largest file, and for that of a file whose name has PATH_MAX characters. */
const LINE_BYTES = 32 * 1024;

/** Bytes of a whole file that are written or read at most. */
export const LAST_GOOD_BYTES = 256 * 1024 * 1024;
const FILES = 200_000;

export interface EncodedSet {
  /** Of what follows the header; equal digests: the same files with the same texts. */
  readonly digest: string;
  readonly chunks: readonly Buffer[];
  /** Of all chunks. */
  readonly bytes: number;
}

export type DecodedSet =
  | { readonly digest: string; readonly texts: readonly PolicyText[] }
  /** Why the file cannot be used, half a sentence. */
  | { readonly problem: string };

/** The set as it is written; `texts` in the order of the load. */
export function encodeSet(texts: readonly PolicyText[]): EncodedSet {
  const hash = createHash("sha256");
  const chunks: Buffer[] = [];
  let length = 0;
  for (const { file, text } of texts) {
    const content = Buffer.from(text, "utf8");
    const entry = Buffer.from(`${JSON.stringify({ file, bytes: content.length })}\n`);
    for (const chunk of [entry, content, Buffer.from([LINE_FEED])]) {
      hash.update(chunk);
      chunks.push(chunk);
      length += chunk.length;
    }
  }
  const digest = hash.digest("hex");
  const header = Buffer.from(`${MAGIC} ${VERSION} sha256:${digest} ${length}\n`);
  return { digest, chunks: [header, ...chunks], bytes: header.length + length };
}

/** Equal digests: the same files with the same texts. */
export function setDigest(texts: readonly PolicyText[]): string {
  return encodeSet(texts).digest;
}

/** Reads what `encodeSet` wrote; throws nothing, whatever the bytes are. */
export function decodeSet(bytes: Buffer): DecodedSet {
  const header = lineAt(bytes, 0);
  const [magic, version, digest, length] = header?.text.split(" ") ?? [];
  if (header === undefined || magic !== MAGIC) return { problem: "it is no stored policy set" };
  if (version !== String(VERSION)) return { problem: `its format is ${version}, and this version reads ${VERSION}` };
  const content = bytes.subarray(header.next);
  if (length !== String(content.length)) return { problem: `it has ${content.length} bytes instead of ${length}` };
  const actual = createHash("sha256").update(content).digest("hex");
  if (digest !== `sha256:${actual}`) return { problem: "its checksum does not fit" };
  const texts = readEntries(content);
  return texts === undefined ? { problem: "its entries are malformed" } : { digest: actual, texts };
}

function readEntries(content: Buffer): PolicyText[] | undefined {
  const texts: PolicyText[] = [];
  const names = new Set<string>();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < content.length; ) {
    const line = lineAt(content, at);
    const entry = line === undefined ? undefined : parseEntry(line.text);
    if (line === undefined || entry === undefined || names.has(entry.file) || names.size >= FILES) return undefined;
    const end = line.next + entry.bytes;
    if (content[end] !== LINE_FEED) return undefined;
    try {
      texts.push({ file: entry.file, text: decoder.decode(content.subarray(line.next, end)) });
    } catch {
      return undefined;
    }
    names.add(entry.file);
    at = end + 1;
  }
  return texts;
}

function lineAt(bytes: Buffer, start: number): { readonly text: string; readonly next: number } | undefined {
  const end = bytes.subarray(start, start + LINE_BYTES).indexOf(LINE_FEED);
  return end < 0 ? undefined : { text: bytes.toString("utf8", start, start + end), next: start + end + 1 };
}

function parseEntry(line: string): { readonly file: string; readonly bytes: number } | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return undefined;
  }
  const { file, bytes } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof file !== "string" || typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  return { file, bytes };
}
