/**
 * The file in which a daemon without offload hands its connections to the
 * process that takes over: a line of JSON that says what follows, then the
 * records of each queue (flow/connection-records.ts), in the byte order of
 * this machine. What does not fit in every respect is not used: then open
 * connections are picked up in mid-stream, as at any other start.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { outcomeReasons } from "../datapath/outcome.ts";
import { connectionRecords, RECORD_WORDS } from "../flow/connection-records.ts";

const RECORD_BYTES = RECORD_WORDS * 4;
const MAX_LINE_BYTES = 64 * 1024;

interface Contents {
  /** What the records' words mean: only a process that means the same may read them. */
  readonly meaning: string;
  /** Queue number and number of its records, in their order. */
  readonly queues: readonly (readonly [number, number])[];
}

/** `established` as in the settings: with "keep" the decisions are kept, too, which otherwise belong to their tables. */
function meaningOf(established: string): string {
  return JSON.stringify(["rampart connections 1", established, RECORD_WORDS, outcomeReasons]);
}

/** Writes the connections of queues that nobody reads at present; mode 0600. @throws Error of the file system */
export function writeConnections(
  path: string,
  connections: ReadonlyMap<number, SharedArrayBuffer>,
  established: string,
): void {
  const parts = [...connections].map(([queue, memory]) => ({ queue, records: connectionRecords(memory) }));
  const contents: Contents = {
    meaning: meaningOf(established),
    queues: parts.map(({ queue, records }) => [queue, records.length / RECORD_WORDS]),
  };
  const bytes = parts.map(({ records }) => Buffer.from(records.buffer));
  rmSync(path, { force: true });
  writeFileSync(path, Buffer.concat([Buffer.from(`${JSON.stringify(contents)}\n`), ...bytes]), { mode: 0o600, flag: "wx" });
}

/** Reads and removes the file; none of it when any of it is not as it should be. */
export function readConnections(path: string, established: string): ReadonlyMap<number, Uint32Array> {
  const found = new Map<number, Uint32Array>();
  try {
    const bytes = readFileSync(path);
    const end = bytes.subarray(0, MAX_LINE_BYTES).indexOf(0x0a);
    const contents = parseContents(bytes.toString("utf8", 0, Math.max(end, 0)));
    let at = end + 1;
    const announced = contents?.queues.reduce((sum, [, count]) => sum + count * RECORD_BYTES, at);
    if (contents?.meaning !== meaningOf(established) || announced !== bytes.length) return found;
    for (const [queue, count] of contents.queues) {
      const records = new Uint32Array(count * RECORD_WORDS);
      bytes.copy(new Uint8Array(records.buffer), 0, at);
      at += records.byteLength;
      found.set(queue, records);
    }
  } catch {
    // No such file: the other process has offload, or died.
  } finally {
    rmSync(path, { force: true });
  }
  return found;
}

function parseContents(line: string): Contents | undefined {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("meaning" in value) || !("queues" in value)) return undefined;
  const { meaning, queues } = value;
  if (typeof meaning !== "string" || !Array.isArray(queues) || !queues.every(isPart)) return undefined;
  return { meaning, queues };
}

function isPart(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}
