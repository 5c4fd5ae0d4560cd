/** GlobalNetworkPolicy and StagedGlobalNetworkPolicy (SEMANTICS 1.2, 1.14). */
import { z } from "zod";
import { calicoPolicyFields, readCalicoPolicy } from "./calico-policy.ts";
import { globalSubject } from "./effective-selector.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { creationTime } from "./resource-meta.ts";
import { POLICY_NAME } from "./resource-name.ts";
import { readSelector } from "./selector-field.ts";
import { readStaged, stagedActionFields } from "./staged-action.ts";
import type { Policy, ResourceMeta } from "./types.ts";

const specSchema = z.looseObject({
  ...calicoPolicyFields,
  namespaceSelector: z.string().nullish(),
  doNotTrack: z.boolean().nullish(),
  preDNAT: z.boolean().nullish(),
  applyOnForward: z.boolean().nullish(),
});
const stagedSchema = specSchema.extend(stagedActionFields);

type Spec = z.output<typeof specSchema>;

export const globalNetworkPolicy = defineKind({
  kind: "GlobalNetworkPolicy",
  nameRule: POLICY_NAME,
  spec: specSchema,
  convert: (meta, spec, context): Policy => readPolicy(meta, spec, false, Object.keys(specSchema.shape), context),
});

export const stagedGlobalNetworkPolicy = defineKind({
  kind: "StagedGlobalNetworkPolicy",
  nameRule: POLICY_NAME,
  spec: stagedSchema,
  convert(meta, spec, context): Policy | undefined {
    const policy = readPolicy(meta, spec, true, Object.keys(stagedSchema.shape), context);
    return readStaged(policy, spec, context);
  },
});

function readPolicy(
  meta: ResourceMeta,
  spec: Spec,
  staged: boolean,
  known: readonly string[],
  context: ResourceContext,
): Policy {
  const common = readCalicoPolicy(meta, undefined, spec, known, context);
  checkFlags(spec, context);
  const serviceAccounts = ["spec", "serviceAccountSelector"];
  const selector = globalSubject({
    selector: readSelector(spec.selector, ["spec", "selector"], context),
    namespaceSelector: readSelector(spec.namespaceSelector, ["spec", "namespaceSelector"], context),
    serviceAccountSelector: readSelector(spec.serviceAccountSelector, serviceAccounts, context),
  });
  return {
    name: meta.name,
    labels: meta.labels,
    location: meta.location,
    kind: "GlobalNetworkPolicy",
    namespace: undefined,
    tier: common.tier,
    order: common.order,
    selector,
    types: common.types,
    ingress: common.ingress,
    egress: common.egress,
    applyOnForward: spec.applyOnForward ?? false,
    preDNAT: spec.preDNAT ?? false,
    doNotTrack: spec.doNotTrack ?? false,
    staged,
    ...creationTime(meta),
  };
}

/** What preDNAT and doNotTrack exclude and require (SEMANTICS 1.2). */
function checkFlags(spec: Spec, context: ResourceContext): void {
  if (spec.preDNAT === true && spec.doNotTrack === true) {
    const message = "a policy is either doNotTrack or preDNAT, not both";
    context.errorAtKey("RAMPART_E_VALUE", ["spec", "doNotTrack"], message, "write two policies");
  }
  for (const flag of ["doNotTrack", "preDNAT"] as const) {
    if (spec[flag] !== true || spec.applyOnForward === true) continue;
    const message = `a ${flag} policy also applies to forwarded traffic and must say so`;
    context.errorAtKey("RAMPART_E_VALUE", ["spec", flag], message, "add applyOnForward: true");
  }
  if (spec.preDNAT !== true) return;
  const hint = "nothing is known of egress before DNAT; move the egress part to a policy without preDNAT";
  if (spec.egress.length > 0) {
    context.errorAtKey("RAMPART_E_VALUE", ["spec", "egress"], "a preDNAT policy has no egress rules", hint);
  }
  const egress = spec.types.indexOf("Egress");
  if (egress >= 0) {
    context.error("RAMPART_E_VALUE", ["spec", "types", egress], "a preDNAT policy is for ingress only", hint);
  }
}
