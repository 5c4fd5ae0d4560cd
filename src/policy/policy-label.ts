/** How a policy is called in decisions, metrics and messages: no two policies of a set share a label. */
import type { Policy } from "../resources/types.ts";

const STAGED = "staged:";
const KUBERNETES = "knp.default.";

/**
 * The policy's name; `namespace/name` for a NetworkPolicy, `namespace/knp.default.name` for a Kubernetes one
 * (SEMANTICS 1.7). A staged policy has `staged:` before it, as an enforced one may bear the same name.
 */
export function policyLabel(policy: Policy): string {
  const { kind, name } = policy;
  const displayed = kind === "KubernetesNetworkPolicy" ? `${KUBERNETES}${name}` : name;
  const label = policy.namespace === undefined ? displayed : `${policy.namespace}/${displayed}`;
  return policy.staged ? `${STAGED}${label}` : label;
}

/** Is it the label of a staged policy? */
export function isStagedLabel(label: string): boolean {
  return label.startsWith(STAGED);
}

/** For people: a staged policy's label as its kind and name, such as `StagedNetworkPolicy shop/web`; others as they are. */
export function describeLabel(label: string): string {
  if (!isStagedLabel(label)) return label;
  const displayed = label.slice(STAGED.length);
  const slash = displayed.indexOf("/");
  if (slash < 0) return `StagedGlobalNetworkPolicy ${displayed}`;
  const [namespace, name] = [displayed.slice(0, slash), displayed.slice(slash + 1)];
  if (!name.startsWith(KUBERNETES)) return `StagedNetworkPolicy ${displayed}`;
  return `StagedKubernetesNetworkPolicy ${namespace}/${name.slice(KUBERNETES.length)}`;
}
