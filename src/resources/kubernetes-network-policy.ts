/**
 * Kubernetes' NetworkPolicy, and Calico's staged form of it, as a policy in
 * Calico's terms (SEMANTICS 4): order 1000 in tier `default`, Allow rules only.
 * What isolates the pods it selects is the end of the tier. It reaches pods
 * only, never host endpoints or network sets.
 */
import { z } from "zod";
import { andSelectors, selectorOf } from "../selector/compose.ts";
import { inNamespace } from "./effective-selector.ts";
import { listOf } from "./field-list.ts";
import { ANY_POD } from "./kubernetes-peer.ts";
import { kubernetesEgressSchema, kubernetesIngressSchema, readKubernetesRules } from "./kubernetes-rule.ts";
import { labelSelectorSchema, readLabelSelector } from "./label-selector.ts";
import { readPolicyTypes } from "./policy-types.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineNamespacedKind } from "./resource-kind.ts";
import type { NamespacedMeta } from "./resource-meta.ts";
import { creationTime } from "./resource-meta.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { readStaged, stagedActionFields } from "./staged-action.ts";
import type { Direction, Policy } from "./types.ts";

const ORDER = 1000;

const specSchema = z.looseObject({
  podSelector: labelSelectorSchema,
  policyTypes: listOf(z.enum(["Ingress", "Egress"]), 2),
  ingress: kubernetesIngressSchema,
  egress: kubernetesEgressSchema,
});
const stagedSchema = specSchema.extend(stagedActionFields);

type Spec = z.output<typeof specSchema>;

export const kubernetesNetworkPolicy = defineNamespacedKind({
  kind: "NetworkPolicy",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert: (meta, spec, context): Policy => readPolicy(meta, spec, false, Object.keys(specSchema.shape), context),
});

export const stagedKubernetesNetworkPolicy = defineNamespacedKind({
  kind: "StagedKubernetesNetworkPolicy",
  nameRule: SUBDOMAIN_NAME,
  spec: stagedSchema,
  convert(meta, spec, context): Policy | undefined {
    const policy = readPolicy(meta, spec, true, Object.keys(stagedSchema.shape), context);
    return readStaged(policy, spec, context);
  },
});

function readPolicy(
  meta: NamespacedMeta,
  spec: Spec,
  staged: boolean,
  known: readonly string[],
  context: ResourceContext,
): Policy {
  context.warnUnknownFields(["spec"], spec, known);
  const pods = readLabelSelector(spec.podSelector, ["spec", "podSelector"], context);
  const subject = [ANY_POD, inNamespace(meta.namespace), ...(pods === undefined ? [] : [pods])];
  return {
    name: meta.name,
    labels: meta.labels,
    location: meta.location,
    kind: "KubernetesNetworkPolicy",
    namespace: meta.namespace,
    tier: "default",
    order: ORDER,
    selector: selectorOf(andSelectors(subject)),
    types: readTypes(spec, context),
    ingress: readKubernetesRules(spec.ingress, "ingress", meta.namespace, context),
    egress: readKubernetesRules(spec.egress, "egress", meta.namespace, context),
    applyOnForward: false,
    preDNAT: false,
    doNotTrack: false,
    staged,
    ...creationTime(meta),
  };
}

/** Where nothing is given, Ingress always and Egress if there are egress rules: not Calico's rule. */
function readTypes(spec: Spec, context: ResourceContext): Direction[] {
  if (spec.policyTypes.length > 0) return readPolicyTypes(spec.policyTypes, "policyTypes", spec, context);
  return spec.egress.length === 0 ? ["ingress"] : ["ingress", "egress"];
}
