/**
 * The control socket speaks JSON lines, UTF-8, one message a line:
 *
 *   client  {"id":1,"method":"status","params":{}}
 *   daemon  {"id":1,"event":…}            any number, only from streaming methods
 *   daemon  {"id":1,"result":…}           exactly one of result or error, always the last of its id
 *   daemon  {"id":1,"error":{"code":"RAMPART_E_…","message":"…","hint":"…"}}
 *
 * Every line is bounded in both directions, so neither side can make the other
 * hold an unbounded message. A request line that is no request is answered
 * with id 0 and the connection is closed.
 */
import { type ErrorCode, RampartError } from "../errors/rampart-error.ts";

/** Longest request line the daemon reads, bytes. */
export const MAX_REQUEST_BYTES = 64 * 1024;
/** Longest line the daemon sends and a client reads, bytes. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

export interface ControlRequest {
  /** Chosen by the client, 1 or more, not in use by another request of the connection. */
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

export interface ControlFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

export type ControlMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: ControlFailure }
  | { readonly id: number; readonly event: unknown };

/** Parses a request line; undefined if it is none. */
export function parseRequest(line: string): ControlRequest | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const { id, method, params } = value;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 1 || typeof method !== "string") return undefined;
  return { id, method, params: params ?? {} };
}

/** Parses a line from the daemon; undefined if it is no message. */
export function parseMessage(line: string): ControlMessage | undefined {
  const value = parseObject(line);
  const id = value?.["id"];
  if (value === undefined || typeof id !== "number") return undefined;
  if ("event" in value) return { id, event: value["event"] };
  if ("error" in value) return { id, error: parseFailure(value["error"]) };
  if ("result" in value) return { id, result: value["result"] };
  return undefined;
}

/** What a failed handler tells the client: a RampartError whole, anything else as an internal error. */
export function toFailure(error: unknown): ControlFailure {
  if (error instanceof RampartError) {
    const { code, message, hint } = error;
    return hint === undefined ? { code, message } : { code, message, hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: "RAMPART_E_INTERNAL",
    message: `the daemon failed to answer: ${message}`,
    hint: "the daemon's log has the details",
  };
}

function parseFailure(value: unknown): ControlFailure {
  const fields = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const { code, message, hint } = fields;
  return {
    code: isErrorCode(code) ? code : "RAMPART_E_INTERNAL",
    message: typeof message === "string" ? message : "the daemon reported an error without saying which",
    ...(typeof hint === "string" ? { hint } : {}),
  };
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && value.startsWith("RAMPART_E_");
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
