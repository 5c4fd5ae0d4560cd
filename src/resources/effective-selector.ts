/**
 * Effective selectors (SEMANTICS 1.9): everything a policy says about who is
 * meant (namespace, selectors, service accounts) folded into one selector
 * over effective labels. An absent selector and all() differ: absent, it is no
 * condition; all() means every endpoint that Rampart knows of.
 */
import type { Selector, SelectorNode } from "../selector/ast.ts";
import { andSelectors, mapLabels, notSelector, replaceCalls, selectorOf } from "../selector/compose.ts";
import { NAMESPACE_LABEL, namespaceLabel, SERVICE_ACCOUNT_LABEL, serviceAccountLabel } from "./implicit-label.ts";

const HAS_NAMESPACE: SelectorNode = { op: "has", label: NAMESPACE_LABEL };
const HAS_SERVICE_ACCOUNT: SelectorNode = { op: "has", label: SERVICE_ACCOUNT_LABEL };
const EVERYTHING: Selector = selectorOf({ op: "all" }, "");

/** Labels of endpoints and sets in this namespace; host endpoints and global sets are in none. */
export function inNamespace(namespace: string): SelectorNode {
  return { op: "eq", label: NAMESPACE_LABEL, value: namespace };
}

/** A selector over namespace labels as one over the labels of what is in those namespaces. */
export function inNamespaces(namespaces: SelectorNode): SelectorNode {
  const prefixed = mapLabels(namespaces, namespaceLabel);
  return replaceCalls(prefixed, { all: HAS_NAMESPACE, global: notSelector(HAS_NAMESPACE) });
}

export interface GlobalSubject {
  readonly selector: Selector | undefined;
  readonly namespaceSelector: Selector | undefined;
  readonly serviceAccountSelector: Selector | undefined;
}

/**
 * Which endpoints a GlobalNetworkPolicy applies to. A namespaceSelector also
 * turns an all() of `selector` into "in a namespace", and a
 * serviceAccountSelector every all() that is left into "has a service account".
 */
export function globalSubject(subject: GlobalSubject): Selector {
  const { selector, namespaceSelector, serviceAccountSelector } = subject;
  if (namespaceSelector === undefined && serviceAccountSelector === undefined) return selector ?? EVERYTHING;
  let parts = selector === undefined ? [] : [selector.root];
  if (namespaceSelector !== undefined) {
    parts = [...parts, mapLabels(namespaceSelector.root, namespaceLabel)];
    parts = parts.map((part) => replaceCalls(part, { all: HAS_NAMESPACE }));
  }
  if (serviceAccountSelector !== undefined) {
    parts = [...parts, mapLabels(serviceAccountSelector.root, serviceAccountLabel)];
    parts = parts.map((part) => replaceCalls(part, { all: HAS_SERVICE_ACCOUNT }));
  }
  return selectorOf(andSelectors(parts));
}

/** Which endpoints a namespaced policy applies to: never one outside its namespace. */
export function namespacedSubject(
  namespace: string,
  selector: Selector | undefined,
  serviceAccountSelector: Selector | undefined,
): Selector {
  const parts = selector === undefined ? [] : [selector.root];
  parts.push(inNamespace(namespace));
  if (serviceAccountSelector !== undefined) parts.push(mapLabels(serviceAccountSelector.root, serviceAccountLabel));
  return selectorOf(andSelectors(parts));
}

export interface EntitySelectors {
  readonly selector: Selector | undefined;
  readonly notSelector: Selector | undefined;
  readonly namespaceSelector: Selector | undefined;
  readonly serviceAccountNames: readonly string[];
  readonly serviceAccountSelector: Selector | undefined;
}

/**
 * The peers a rule means. `namespace` is the policy's own; any selector at all
 * confines a namespaced policy to it, unless a namespaceSelector says
 * otherwise. A notSelector with no positive one beside it stays a negation, so
 * that addresses nobody knows satisfy it.
 */
export function effectiveEntity(
  given: EntitySelectors,
  namespace: string | undefined,
): { readonly selector: Selector | undefined; readonly notSelector: Selector | undefined } {
  const positive: SelectorNode[] = [];
  if (given.selector !== undefined) positive.push(given.selector.root);
  if (given.serviceAccountSelector !== undefined) {
    positive.push(mapLabels(given.serviceAccountSelector.root, serviceAccountLabel));
  }
  if (given.serviceAccountNames.length > 0) {
    positive.push({ op: "in", label: SERVICE_ACCOUNT_LABEL, values: given.serviceAccountNames });
  }
  if (given.namespaceSelector !== undefined) positive.push(inNamespaces(given.namespaceSelector.root));
  else if (namespace !== undefined && (positive.length > 0 || given.notSelector !== undefined)) {
    positive.push(inNamespace(namespace));
  }
  if (positive.length === 0) return { selector: undefined, notSelector: given.notSelector };
  if (given.notSelector !== undefined) positive.push(notSelector(given.notSelector.root));
  const [only] = positive;
  if (positive.length === 1 && only === given.selector?.root) {
    return { selector: given.selector, notSelector: undefined };
  }
  return { selector: selectorOf(andSelectors(positive)), notSelector: undefined };
}
