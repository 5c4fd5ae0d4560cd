/** How a policy is called in decisions, metrics and messages: no two policies of a set share a label. */
import type { Policy } from "../resources/types.ts";

/**
 * The policy's name; `namespace/name` for a NetworkPolicy, `namespace/knp.default.name` for a Kubernetes one
 * (SEMANTICS 1.7). A staged policy has `staged:` before it, as an enforced one may bear the same name.
 */
export function policyLabel(policy: Policy): string {
  const { kind, name } = policy;
  const displayed = kind === "KubernetesNetworkPolicy" ? `knp.default.${name}` : name;
  const label = policy.namespace === undefined ? displayed : `${policy.namespace}/${displayed}`;
  return policy.staged ? `staged:${label}` : label;
}
