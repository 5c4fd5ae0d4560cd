/**
 * A peer of a Kubernetes rule (SEMANTICS 4): pods of the policy's own
 * namespace, all pods of some namespaces, some pods of some namespaces, or a
 * block of addresses. Selectors reach pods only.
 */
import { z } from "zod";
import type { SelectorNode } from "../selector/ast.ts";
import { andSelectors, selectorOf } from "../selector/compose.ts";
import { inNamespace, inNamespaces } from "./effective-selector.ts";
import { NO_CONSTRAINT } from "./entity-rule.ts";
import { KUBERNETES, ORCHESTRATOR_LABEL } from "./implicit-label.ts";
import { ipBlockSchema, readIpBlock } from "./ip-block.ts";
import { labelSelectorSchema, readLabelSelector } from "./label-selector.ts";
import type { ResourceContext } from "./resource-context.ts";
import type { EntityRule } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = "a peer has podSelector, namespaceSelector or ipBlock; an ignored criterion would widen the rule";

export const peerSchema = z.strictObject(
  { podSelector: labelSelectorSchema, namespaceSelector: labelSelectorSchema, ipBlock: ipBlockSchema },
  { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
);

/** Every pod, and nothing else. */
export const ANY_POD: SelectorNode = { op: "eq", label: ORCHESTRATOR_LABEL, value: KUBERNETES };

/** undefined, with a warning, for what is no peer: empty, or both addresses and a selector. */
export function readPeer(
  peer: z.output<typeof peerSchema>,
  namespace: string,
  path: ValuePath,
  context: ResourceContext,
): EntityRule | undefined {
  const pods = readLabelSelector(peer.podSelector, [...path, "podSelector"], context);
  const namespaces = readLabelSelector(peer.namespaceSelector, [...path, "namespaceSelector"], context);
  const selected = pods !== undefined || namespaces !== undefined;
  const block = peer.ipBlock ?? undefined;
  if (selected === (block !== undefined)) {
    const message = selected ? "a peer is either an ipBlock or selectors, not both" : "a peer that names nobody";
    context.warn("RAMPART_W_RULE_DROPPED", path, `${message}: the whole rule is left out and allows nothing`);
  }
  // An unusable block is read all the same, so that every problem is reported.
  const nets = block === undefined ? undefined : readIpBlock(block, [...path, "ipBlock"], context);
  if (selected === (block !== undefined)) return undefined;
  if (nets !== undefined) return { ...NO_CONSTRAINT, ...nets };
  const where = namespaces === undefined ? inNamespace(namespace) : inNamespaces(namespaces);
  const parts = pods === undefined ? [ANY_POD, where] : [ANY_POD, where, pods];
  return { ...NO_CONSTRAINT, selector: selectorOf(andSelectors(parts)) };
}
