/** GlobalNetworkPolicy (SEMANTICS 1.2, 1.5). */
import { z } from "zod";
import { listOf, warnIfMapping } from "./field-list.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { POLICY_NAME } from "./resource-name.ts";
import { readRules, ruleSchema } from "./rule.ts";
import { readSelector } from "./selector-field.ts";
import type { Direction, GlobalNetworkPolicy, Rule } from "./types.ts";
import { refuseFeature } from "./unsupported-feature.ts";

const MAX_RULES = 1024;
const DEFAULT_TIER = "default";

const specSchema = z.looseObject({
  tier: z.string().nullish(),
  order: z.number().nullish(),
  selector: z.string().nullish(),
  namespaceSelector: z.string().nullish(),
  serviceAccountSelector: z.string().nullish(),
  types: listOf(z.enum(["Ingress", "Egress"]), 2),
  ingress: listOf(ruleSchema, MAX_RULES),
  egress: listOf(ruleSchema, MAX_RULES),
  doNotTrack: z.boolean().nullish(),
  preDNAT: z.boolean().nullish(),
  applyOnForward: z.boolean().nullish(),
  performanceHints: listOf(z.string()),
});

export const globalNetworkPolicy = defineKind({
  kind: "GlobalNetworkPolicy",
  nameRule: POLICY_NAME,
  spec: specSchema,
  convert(meta, spec, context): GlobalNetworkPolicy | undefined {
    for (const field of ["namespaceSelector", "serviceAccountSelector", "doNotTrack", "preDNAT"]) {
      refuseFeature(spec, field, ["spec"], context);
    }
    warnIfMapping(["spec", "ingress"], context);
    warnIfMapping(["spec", "egress"], context);
    context.warnUnknownFields(["spec"], spec, Object.keys(specSchema.shape));
    const ingress = readRules(spec.ingress, ["spec", "ingress"], context);
    const egress = readRules(spec.egress, ["spec", "egress"], context);
    const types = readTypes(spec.types, ingress, egress, context);
    const selector = readSelector(spec.selector ?? "", ["spec", "selector"], context);
    const tier = spec.tier === "" ? DEFAULT_TIER : (spec.tier ?? DEFAULT_TIER);
    if (tier !== DEFAULT_TIER) context.refersToTier(meta.name, tier, ["spec", "tier"]);
    if (selector === undefined) return undefined;
    return {
      ...meta,
      kind: "GlobalNetworkPolicy",
      tier,
      order: spec.order ?? undefined,
      selector,
      types,
      ingress,
      egress,
      applyOnForward: spec.applyOnForward ?? false,
    };
  },
});

/** By rule count where nothing is given (SEMANTICS 1.5). */
function readTypes(
  given: readonly ("Ingress" | "Egress")[],
  ingress: readonly Rule[],
  egress: readonly Rule[],
  context: ResourceContext,
): Direction[] {
  if (given.length === 0) {
    if (egress.length === 0) return ["ingress"];
    return ingress.length === 0 ? ["egress"] : ["ingress", "egress"];
  }
  if (given[0] === given[1]) {
    const hint = "name each direction once";
    context.error("RAMPART_E_VALUE", ["spec", "types", 1], `${given[0]} is listed twice`, hint);
  }
  const types: Direction[] = [];
  if (given.includes("Ingress")) types.push("ingress");
  if (given.includes("Egress")) types.push("egress");
  for (const [direction, rules] of [["ingress", ingress], ["egress", egress]] as const) {
    if (rules.length === 0 || types.includes(direction)) continue;
    const message = `these rules have no effect, because spec.types does not list ${direction}`;
    context.warn("RAMPART_W_RULES_IGNORED", ["spec", direction], message);
  }
  return types;
}
