/**
 * Where connections are seen (flow/connection-key.ts, Domain), in terms of the
 * packet walk: the two directions of one connection meet the same domain.
 */
import { Domain } from "../flow/connection-key.ts";
import { WalkStep } from "./packet-walk.ts";

/** The kernel's number of `lo`, in every network namespace. */
const LOOPBACK = 1;

/** The domain of a packet at this step, by its interfaces. */
export function domainOf(step: number, from: number, to: number): number {
  if (step === WalkStep.FORWARD) return Domain.FORWARD;
  if (from === LOOPBACK) return Domain.LOOPBACK_IN;
  return to === LOOPBACK ? Domain.LOOPBACK_OUT : Domain.LOCAL;
}

/** Where a packet of this host's kernel may have its reason: it speaks for what it forwards, and to itself. */
export function otherDomain(domain: number): number {
  switch (domain) {
    case Domain.LOCAL:
      return Domain.FORWARD;
    case Domain.LOOPBACK_IN:
      return Domain.LOOPBACK_OUT;
    case Domain.LOOPBACK_OUT:
      return Domain.LOOPBACK_IN;
    default:
      return domain;
  }
}

/** The step of the same connection's other direction. */
export function counterStep(step: number): number {
  switch (step) {
    case WalkStep.INPUT:
      return WalkStep.OUTPUT;
    case WalkStep.OUTPUT:
      return WalkStep.INPUT;
    default:
      return step;
  }
}
