/**
 * The labels nobody writes (SEMANTICS 1.8, 1.9): an endpoint or network set of
 * a namespace carries the namespace's name and, each key prefixed, the
 * namespace's own labels; an endpoint likewise those of its service account.
 */
export const NAMESPACE_LABEL = "projectcalico.org/namespace";
export const SERVICE_ACCOUNT_LABEL = "projectcalico.org/serviceaccount";
export const ORCHESTRATOR_LABEL = "projectcalico.org/orchestrator";

/** Value of ORCHESTRATOR_LABEL on pods; policies of Kubernetes look at nothing else. */
export const KUBERNETES = "k8s";

/** A namespace's label, as the endpoints in it carry it. */
export function namespaceLabel(key: string): string {
  return `pcns.${key}`;
}

/** A service account's label, as the endpoints that run under it carry it. */
export function serviceAccountLabel(key: string): string {
  return `pcsa.${key}`;
}
