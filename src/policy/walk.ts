/**
 * The packet's way past the filter hooks (SEMANTICS 3.4, steps I4, F1, F4, F6
 * and O4): which endpoints judge it, in which class and direction, and what
 * their decisions come to. Part of the reference evaluator.
 */
import type { HostEndpoint, ResourceSet } from "../resources/types.ts";
import type { Decision, PolicyPacket } from "./decision.ts";
import { governingEndpoint } from "./endpoint-choice.ts";
import type { EndpointChoice } from "./endpoint-choice.ts";
import { evaluateEndpoint } from "./evaluate.ts";

/** `return`: nothing here accepts or denies it; the rest of the machine's own rules decides. */
type WalkVerdict = "allow" | "deny" | "return";

export interface Judgement {
  readonly verdict: WalkVerdict;
  /** The endpoint that judged last, and what it said; undefined when none governs. */
  readonly endpoint: string | undefined;
  readonly decision: Decision | undefined;
}

const UNPOLICED: Judgement = { verdict: "return", endpoint: undefined, decision: undefined };

/** A packet for this host that came in through `inInterface`. */
export function judgeInput(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  inInterface: string,
  packet: PolicyPacket,
): Judgement {
  const endpoint = governingEndpoint(choice, inInterface);
  if (endpoint === undefined) return UNPOLICED;
  return judgement(endpoint, evaluateEndpoint(set, node, endpoint, "normal", "ingress", packet));
}

/** A packet of this host that leaves through `outInterface`. */
export function judgeOutput(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  outInterface: string,
  packet: PolicyPacket,
): Judgement {
  const endpoint = governingEndpoint(choice, outInterface);
  if (endpoint === undefined) return UNPOLICED;
  return judgement(endpoint, evaluateEndpoint(set, node, endpoint, "normal", "egress", packet));
}

/**
 * A packet that is routed through this host. Either endpoint can deny it; what
 * the last one that governs leaves behind, allow or continue, is the end of it.
 */
export function judgeForward(
  set: ResourceSet,
  node: string,
  choice: EndpointChoice,
  inInterface: string,
  outInterface: string,
  packet: PolicyPacket,
): Judgement {
  const from = governingEndpoint(choice, inInterface);
  const to = governingEndpoint(choice, outInterface);
  const ingress =
    from === undefined
      ? UNPOLICED
      : judgement(from, evaluateEndpoint(set, node, from, "forward", "ingress", packet));
  if (ingress.verdict === "deny" || to === undefined) return ingress;
  const egress = evaluateEndpoint(set, node, to, "forward", "egress", packet);
  return judgement(to, { ...egress, logged: [...(ingress.decision?.logged ?? []), ...egress.logged] });
}

function judgement(endpoint: HostEndpoint, decision: Decision): Judgement {
  return {
    verdict: decision.verdict === "continue" ? "return" : decision.verdict,
    endpoint: endpoint.name,
    decision,
  };
}
