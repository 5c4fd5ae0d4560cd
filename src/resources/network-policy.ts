/**
 * Calico's NetworkPolicy and StagedNetworkPolicy (SEMANTICS 1.2, 1.14). Kubernetes'
 * kind of the same name is kubernetes-network-policy.ts.
 */
import { z } from "zod";
import { calicoPolicyFields, readCalicoPolicy } from "./calico-policy.ts";
import { namespacedSubject } from "./effective-selector.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineNamespacedKind } from "./resource-kind.ts";
import type { NamespacedMeta } from "./resource-meta.ts";
import { creationTime } from "./resource-meta.ts";
import { NETWORK_POLICY_NAME } from "./resource-name.ts";
import { readSelector } from "./selector-field.ts";
import { readStaged, stagedActionFields } from "./staged-action.ts";
import type { Policy } from "./types.ts";

const specSchema = z.looseObject(calicoPolicyFields);
const stagedSchema = specSchema.extend(stagedActionFields);

export const networkPolicy = defineNamespacedKind({
  kind: "NetworkPolicy",
  nameRule: NETWORK_POLICY_NAME,
  spec: specSchema,
  convert: (meta, spec, context): Policy => readPolicy(meta, spec, false, Object.keys(specSchema.shape), context),
});

export const stagedNetworkPolicy = defineNamespacedKind({
  kind: "StagedNetworkPolicy",
  nameRule: NETWORK_POLICY_NAME,
  spec: stagedSchema,
  convert(meta, spec, context): Policy | undefined {
    const policy = readPolicy(meta, spec, true, Object.keys(stagedSchema.shape), context);
    return readStaged(policy, spec, context);
  },
});

function readPolicy(
  meta: NamespacedMeta,
  spec: z.output<typeof specSchema>,
  staged: boolean,
  known: readonly string[],
  context: ResourceContext,
): Policy {
  const common = readCalicoPolicy(meta, meta.namespace, spec, known, context);
  const selector = readSelector(spec.selector, ["spec", "selector"], context);
  const accounts = readSelector(spec.serviceAccountSelector, ["spec", "serviceAccountSelector"], context);
  return {
    name: meta.name,
    labels: meta.labels,
    location: meta.location,
    kind: "NetworkPolicy",
    namespace: meta.namespace,
    tier: common.tier,
    order: common.order,
    selector: namespacedSubject(meta.namespace, selector, accounts),
    types: common.types,
    ingress: common.ingress,
    egress: common.egress,
    applyOnForward: false,
    preDNAT: false,
    doNotTrack: false,
    staged,
    ...creationTime(meta),
  };
}
