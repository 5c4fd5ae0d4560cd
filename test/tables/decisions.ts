/** What compiled tables decide, in the reference evaluator's words. */
import type { Decision, PolicyClass } from "../../src/policy/decision.ts";
import type { PacketView } from "../../src/packet/view.ts";
import type { Direction, Endpoint } from "../../src/resources/types.ts";
import type { Classifier } from "../../src/tables/classifier.ts";
import { ProgramKind, type Compilation } from "../../src/tables/compiled.ts";

export interface Kind {
  readonly kind: number;
  readonly policyClass: PolicyClass;
  readonly direction: Direction;
}

const KINDS: readonly Kind[] = [
  { kind: ProgramKind.NORMAL_INGRESS, policyClass: "normal", direction: "ingress" },
  { kind: ProgramKind.NORMAL_EGRESS, policyClass: "normal", direction: "egress" },
  { kind: ProgramKind.FORWARD_INGRESS, policyClass: "forward", direction: "ingress" },
  { kind: ProgramKind.FORWARD_EGRESS, policyClass: "forward", direction: "egress" },
  { kind: ProgramKind.PREDNAT_INGRESS, policyClass: "preDNAT", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_INGRESS, policyClass: "untracked", direction: "ingress" },
  { kind: ProgramKind.UNTRACKED_EGRESS, policyClass: "untracked", direction: "egress" },
];

/** The programs an endpoint has. */
export function kindsOf(endpoint: Endpoint): readonly Kind[] {
  return endpoint.kind === "HostEndpoint" ? KINDS : KINDS.filter(({ policyClass }) => policyClass === "normal");
}

export function decide(compilation: Compilation, classifier: Classifier, program: number, view: PacketView): Decision {
  const rule = classifier.classify(program, view);
  const info = compilation.rules[rule];
  const logged = [...classifier.logged.subarray(0, classifier.loggedCount)].map((id) => compilation.rules[id].rule);
  return { verdict: info.verdict, reason: info.reason, tier: info.tier, rule: info.rule, logged } as Decision;
}

export function inWords(value: object): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === "bigint" ? `0x${field.toString(16)}` : field));
}
