/**
 * What one hook makes of a packet: every endpoint that was asked, in order, and
 * what their decisions come to. The last one asked decides, unless one before
 * it denied, which ends it.
 */
import type { Direction, Endpoint, ResourceSet } from "../resources/types.ts";
import type { Decision, PolicyClass, PolicyPacket, Reason } from "./decision.ts";
import { evaluateEndpoint } from "./evaluate.ts";

/** `return`: nothing here accepts or denies it; the rest of the machine's own rules decides. */
export type WalkVerdict = "allow" | "deny" | "return";

export type WalkReason =
  | Reason
  | "no-endpoint" // no endpoint governs here
  | "accepted" // a policy before DNAT or connection tracking allowed it for good
  | "unknown-workload" // a workload's interface without an endpoint
  | "encapsulation" // a workload's own VXLAN or IPIP packet
  | "neighbour-discovery" // what a workload may always ask its host over IPv6
  | "workload-to-host" // the workload's policies allow it, and defaultEndpointToHostAction decides
  | "host-to-workload" // from the host to its own workload, which is never policed
  | "translated" // sent by this host and DNATed: judged behind the translation
  | "same-endpoint"; // an endpoint to its own address, which never leaves it

export interface JudgedStep {
  readonly endpoint: Endpoint;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
  readonly decision: Decision;
}

export interface Judgement {
  readonly verdict: WalkVerdict;
  readonly reason: WalkReason;
  /** The endpoint that spoke last: a HostEndpoint's name or a workload's `namespace/name`; undefined when none did. */
  readonly endpoint: string | undefined;
  /** What it said; undefined when the reason is none of its policies. */
  readonly decision: Decision | undefined;
  /** Every endpoint whose policies were asked, in order. */
  readonly steps: readonly JudgedStep[];
}

export const UNPOLICED: Judgement = settled("return", "no-endpoint");

/** A judgement that no policy was asked for. */
export function settled(verdict: WalkVerdict, reason: WalkReason, endpoint?: Endpoint): Judgement {
  return {
    verdict,
    reason,
    endpoint: endpoint === undefined ? undefined : endpointLabel(endpoint),
    decision: undefined,
    steps: [],
  };
}

/** The endpoint's policies of one class and direction. */
export function asked(
  set: ResourceSet,
  node: string,
  endpoint: Endpoint,
  policyClass: PolicyClass,
  direction: Direction,
  packet: PolicyPacket,
): Judgement {
  const decision = evaluateEndpoint(set, node, endpoint, policyClass, direction, packet);
  return {
    verdict: decision.verdict === "continue" ? "return" : decision.verdict,
    reason: decision.reason,
    endpoint: endpointLabel(endpoint),
    decision,
    steps: [{ endpoint, policyClass, direction, decision }],
  };
}

/** The next judgement after one that did not deny; undefined leaves everything as it was. */
export function followedBy(first: Judgement, next: (() => Judgement) | undefined): Judgement {
  if (first.verdict === "deny" || next === undefined) return first;
  const last = next();
  return { ...last, steps: [...first.steps, ...last.steps] };
}

function endpointLabel(endpoint: Endpoint): string {
  return endpoint.kind === "WorkloadEndpoint" ? `${endpoint.namespace}/${endpoint.name}` : endpoint.name;
}
