/**
 * What a control method's handler sees of the client that called it. Handlers
 * never wait for a client: an event a slow client has no room for is refused,
 * and counting that loss is the handler's business.
 */

export interface ControlStream {
  /** Sends an event; false: dropped, because the client reads too slowly or is gone. */
  push(event: unknown): boolean;
  /** Resolves when the client has hung up or has said that it wants no more. Never rejects. */
  readonly closed: Promise<void>;
}

/** Answers a method: the value returned becomes the result, a RampartError thrown becomes the error. */
export type ControlHandler = (params: unknown, stream: ControlStream) => unknown;
