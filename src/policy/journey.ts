/**
 * One packet from where it enters this host to where it leaves it, past every
 * hook in the order of SEMANTICS 3.4. Only what a later hook needs is carried
 * along: the packet and the accept mark.
 */
import type { ResourceSet } from "../resources/types.ts";
import type { PolicyPacket } from "./decision.ts";
import type { EndpointChoice } from "./endpoint-choice.ts";
import type { Judgement, WalkVerdict } from "./judgement.ts";
import {
  judgeForward,
  judgeInput,
  judgeOutput,
  judgePreDNAT,
  judgeTranslatedOutput,
  judgeUntracked,
} from "./walk.ts";

/** A packet that starts a connection. Between two processes of this host it makes two journeys over loopback. */
export type Journey = {
  /** As it was sent. */
  readonly packet: PolicyPacket;
  /** After DNAT; undefined: it is not translated. */
  readonly translated?: PolicyPacket;
} & (
  | {
      readonly inInterface: string;
      /** Where it is routed to, after DNAT; undefined: a process of this host receives it. */
      readonly outInterface: string | undefined;
    }
  | {
      /** A process of this host sends it. */
      readonly inInterface: undefined;
      /** Where it leaves, after DNAT. */
      readonly outInterface: string;
      /** Where it was routed to before DNAT, if elsewhere. */
      readonly firstOutInterface?: string;
    }
);

export type WalkHook =
  | "raw PREROUTING"
  | "mangle PREROUTING"
  | "filter INPUT"
  | "filter FORWARD"
  | "raw OUTPUT"
  | "filter OUTPUT"
  | "mangle POSTROUTING";

export interface Walk {
  /** `deny` if any hook denied it; else what the filter table left behind. */
  readonly verdict: WalkVerdict;
  /** Every hook it came to, in order; after a deny there are none. */
  readonly hooks: readonly { readonly hook: WalkHook; readonly judgement: Judgement }[];
}

/** The verdict of the whole walk; the accept mark starts clear and is carried from hook to hook. */
export function walkPacket(set: ResourceSet, node: string, choice: EndpointChoice, journey: Journey): Walk {
  const { packet, translated = packet, outInterface } = journey;
  const hooks: { hook: WalkHook; judgement: Judgement }[] = [];
  const visit = (hook: WalkHook, judgement: Judgement): boolean => {
    hooks.push({ hook, judgement });
    return judgement.verdict !== "deny";
  };
  const ended = (): Walk => ({ verdict: hooks.at(-1)?.judgement.verdict ?? "return", hooks });

  if (journey.inInterface === undefined) {
    const { outInterface: last, firstOutInterface = last } = journey;
    const raw = judgeUntracked(set, node, choice, firstOutInterface, "egress", packet);
    if (!visit("raw OUTPUT", raw)) return ended();
    const accepted = raw.verdict === "allow";
    const isTranslated = journey.translated !== undefined;
    const output = judgeOutput(set, node, choice, last, translated, { accepted, translated: isTranslated });
    if (!visit("filter OUTPUT", output) || accepted || !isTranslated) return ended();
    const denied = !visit("mangle POSTROUTING", judgeTranslatedOutput(set, node, choice, last, translated));
    return { verdict: denied ? "deny" : output.verdict, hooks };
  }

  const raw = judgeUntracked(set, node, choice, journey.inInterface, "ingress", packet);
  if (!visit("raw PREROUTING", raw)) return ended();
  let accepted = raw.verdict === "allow";
  if (!accepted) {
    const preDNAT = judgePreDNAT(set, node, choice, journey.inInterface, packet);
    if (!visit("mangle PREROUTING", preDNAT)) return ended();
    accepted = preDNAT.verdict === "allow";
  }
  const from = journey.inInterface;
  if (outInterface === undefined) {
    visit("filter INPUT", judgeInput(set, node, choice, from, translated, { accepted }));
  } else {
    visit("filter FORWARD", judgeForward(set, node, choice, from, outInterface, translated, { accepted }));
  }
  return ended();
}
