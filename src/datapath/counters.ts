/**
 * Counters of one worker in shared memory: one writer (the worker), any
 * readers. Float64 counts exactly to 2^53; a reader may see a value a packet
 * old, never a torn one on 64-bit machines.
 */
import { parseFailureNames } from "../packet/failure.ts";
import { hookNames, outcomeReasons, verdictNames } from "./outcome.ts";

const VERDICTS = verdictNames.length;
const REASONS = outcomeReasons.length;
const OUTCOMES = hookNames.length * VERDICTS * REASONS;

/** Where each group of counters begins. */
const PARSE_FAILURES_AT = OUTCOMES;
const GAUGES_AT = PARSE_FAILURES_AT + parseFailureNames.length;

const gaugeNames = [
  "returned",
  "flows",
  "flowCapacity",
  "flowsEvicted",
  "deniedConnections",
  "openingConnections",
  "closingConnections",
  "establishedConnections",
  "deniedEvicted",
  "openingEvicted",
  "closingEvicted",
  "establishedEvicted",
  "eventsLost",
  "tapLost",
  "packets",
  "batches",
  "enobufs",
  "truncated",
  "malformed",
  "verdictErrors",
  "unanswered",
  "receiveBuffer",
  "heartbeatAt",
  "canarySequence",
  "canaryAroundSequence",
  "canaryAt",
] as const;
export type GaugeName = (typeof gaugeNames)[number];

export class WorkerCounters {
  readonly values: Float64Array;

  constructor(values: Float64Array = new Float64Array(new SharedArrayBuffer((GAUGES_AT + gaugeNames.length) * 8))) {
    this.values = values;
  }

  countOutcome(hook: number, verdict: number, reason: number): void {
    this.values[(hook * VERDICTS + verdict) * REASONS + reason] += 1;
  }

  countParseFailure(failure: number): void {
    this.values[PARSE_FAILURES_AT + failure] += 1;
  }

  outcome(hook: number, verdict: number, reason: number): number {
    return this.values[(hook * VERDICTS + verdict) * REASONS + reason];
  }

  parseFailure(failure: number): number {
    return this.values[PARSE_FAILURES_AT + failure];
  }

  gauge(name: GaugeName): number {
    return this.values[GAUGES_AT + gaugeNames.indexOf(name)];
  }

  setGauge(name: GaugeName, value: number): void {
    this.values[GAUGES_AT + gaugeNames.indexOf(name)] = value;
  }

  addGauge(name: GaugeName, by: number): void {
    this.values[GAUGES_AT + gaugeNames.indexOf(name)] += by;
  }
}
