/**
 * Effective labels (SEMANTICS 1.8, 1.9): what selectors see of an endpoint or a
 * network set. Its own labels win over inherited ones, an earlier profile wins
 * over a later one, and what Calico keeps for itself wins over everything.
 */
import { KUBERNETES, NAMESPACE_LABEL, ORCHESTRATOR_LABEL, SERVICE_ACCOUNT_LABEL } from "./implicit-label.ts";
import type { Labels, Profile } from "./types.ts";

/** Calico sets the label only for names shorter than this. */
const SERVICE_ACCOUNT_NAME_LIMIT = 63;

/** Labels of a workload that follow from where it lives (SEMANTICS 1.9). */
export function implicitLabels(
  namespace: string,
  orchestrator: string | undefined,
  serviceAccount: string | undefined,
): Labels {
  const labels: Record<string, string> = { [NAMESPACE_LABEL]: namespace };
  if (orchestrator !== undefined) labels[ORCHESTRATOR_LABEL] = orchestrator;
  if (serviceAccount !== undefined && serviceAccount.length < SERVICE_ACCOUNT_NAME_LIMIT) {
    labels[SERVICE_ACCOUNT_LABEL] = serviceAccount;
  }
  return labels;
}

/** `implicitLabels` of a pod. */
export function podLabels(own: Labels, namespace: string, serviceAccount: string): Labels {
  return { ...own, ...implicitLabels(namespace, KUBERNETES, serviceAccount) };
}

/** `own` with what the profiles give; profiles that do not exist give nothing. */
export function inheritLabels(
  own: Labels,
  names: readonly string[],
  profiles: ReadonlyMap<string, Profile>,
): Labels {
  // Without a prototype, so that no label name finds a built-in property.
  const labels = Object.create(null) as Record<string, string>;
  for (const name of names.toReversed()) Object.assign(labels, profiles.get(name)?.labels);
  return Object.assign(labels, own);
}
