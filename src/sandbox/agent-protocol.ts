/**
 * What can be asked of the traffic agent inside a host: one JSON object a
 * line each way, `{id, operation, arguments}` and `{id, result}` or
 * `{id, error}`. Times are in milliseconds.
 */

/** How a try to reach something ended; "unreachable" is an ICMP error or a refusal of the own kernel to send. */
export type TcpOutcome = "connected" | "refused" | "timeout" | "unreachable";
export type UdpOutcome = "answered" | "refused" | "timeout" | "unreachable";

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly sourcePort?: number | undefined;
}

/** What a conversation heard: a line, or why there was none. */
export interface Heard {
  readonly outcome: "line" | "timeout" | "closed";
  readonly line: string;
}

export interface TransferProgress {
  readonly received: number;
  readonly state: "running" | "finished" | "failed";
  /** Of all bytes received; "" while running. */
  readonly sha256: string;
  readonly error: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Flows on which both sides speak all the time. */
export interface ChatterStart {
  readonly address: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP";
  /** They are numbered from here on. */
  readonly firstFlow: number;
  readonly flows: number;
  /** Between two messages of one side on one flow. */
  readonly intervalMs: number;
}

/** Of one flow: messages heard, and when the latest of them was sent, by CLOCK_MONOTONIC. */
export interface ChatterHeard {
  readonly flow: number;
  readonly count: number;
  readonly latestMs: number;
}

/** Datagrams to an echo server, each from a source port of its own, which makes each a flow. */
export interface Burst {
  readonly address: string;
  readonly port: number;
  readonly firstSourcePort: number;
  readonly count: number;
  readonly perSecond: number;
  /** How long the last answers are waited for. */
  readonly graceMs: number;
}

export interface BurstResult {
  readonly sent: number;
  readonly answered: number;
  /** Sent by CLOCK_MONOTONIC. */
  readonly lost: readonly { readonly sourcePort: number; readonly sentMs: number }[];
}

export interface AgentOperations {
  /** `conversation` is 0 unless connected and `keep` was asked for. */
  tcpConnect: { arguments: Target & { keep: boolean }; result: { outcome: TcpOutcome; conversation: number } };
  udpEcho: { arguments: Target; result: UdpOutcome };
  /** A connected UDP socket; sends nothing yet. */
  udpOpen: { arguments: Target; result: number };
  /** Send a line, if there is one, and wait for the next line that comes. */
  converse: { arguments: { conversation: number; send?: string; timeoutMs: number }; result: Heard };
  hangUp: { arguments: { conversation: number }; result: null };
  /** Echo servers on every address of the host, both families; the result names the server. */
  tcpEchoServer: { arguments: { port: number }; result: number };
  udpEchoServer: { arguments: { port: number }; result: number };
  /** Send a line to every client of an echo server; the result is how many there are. */
  speak: { arguments: { server: number; line: string }; result: number };
  /** Sends `bytes` to whoever connects, `chunk` bytes each `intervalMs`. */
  transferServer: {
    arguments: { port: number; bytes: number; chunk: number; intervalMs: number };
    result: { server: number; sha256: string };
  };
  closeServer: { arguments: { server: number }; result: null };
  transferStart: { arguments: Target; result: { outcome: TcpOutcome; transfer: number } };
  transferProgress: { arguments: { transfer: number }; result: TransferProgress };
  /** Speaks on every flow that has spoken to it; the result names it, as that of chatterStart. */
  chatterServer: { arguments: { port: number; intervalMs: number }; result: number };
  chatterStart: { arguments: ChatterStart; result: number };
  chatterHeard: { arguments: { chatter: number }; result: ChatterHeard[] };
  chatterEnd: { arguments: { chatter: number }; result: null };
  burst: { arguments: Burst; result: BurstResult };
  httpGet: { arguments: { address: string; port: number; path: string; timeoutMs: number }; result: HttpAnswer };
}

export type AgentOperation = keyof AgentOperations;

export interface AgentRequest {
  readonly id: number;
  readonly operation: AgentOperation;
  readonly arguments: unknown;
}

export type AgentReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
