/**
 * What Calico's policy kinds have in common (SEMANTICS 1.2, 1.5): tier, order,
 * subject, types and rules. The kinds differ in whether they are in a
 * namespace, and in what only a global policy may ask for.
 */
import { z } from "zod";
import { listOf, warnIfMapping } from "./field-list.ts";
import { readPolicyTypes } from "./policy-types.ts";
import type { ResourceContext } from "./resource-context.ts";
import { readRules, ruleSchema } from "./rule.ts";
import type { Direction, Policy, ResourceMeta, Rule } from "./types.ts";

const MAX_RULES = 1024;
const DEFAULT_TIER = "default";

export const calicoPolicyFields = {
  tier: z.string().nullish(),
  order: z.number().nullish(),
  selector: z.string().nullish(),
  serviceAccountSelector: z.string().nullish(),
  types: listOf(z.enum(["Ingress", "Egress"]), 2),
  ingress: listOf(ruleSchema, MAX_RULES),
  egress: listOf(ruleSchema, MAX_RULES),
  performanceHints: listOf(z.enum(["AssumeNeededOnEveryNode"]), 1),
};

type CalicoSpec = z.output<z.ZodObject<typeof calicoPolicyFields>>;

/** The policy but for its subject and a global policy's flags. `known` names the spec's fields. */
export function readCalicoPolicy(
  meta: ResourceMeta,
  namespace: string | undefined,
  spec: CalicoSpec,
  known: readonly string[],
  context: ResourceContext,
): Pick<Policy, "tier" | "order" | "types" | "ingress" | "egress"> {
  warnIfMapping(["spec", "ingress"], context);
  warnIfMapping(["spec", "egress"], context);
  context.warnUnknownFields(["spec"], spec, known);
  const ingress = readRules(spec.ingress, { namespace, direction: "ingress" }, ["spec", "ingress"], context);
  const egress = readRules(spec.egress, { namespace, direction: "egress" }, ["spec", "egress"], context);
  return {
    tier: readTier(spec.tier, namespace === undefined ? meta.name : `${namespace}/${meta.name}`, context),
    order: spec.order ?? undefined,
    types: readTypes(spec.types, ingress, egress, context),
    ingress,
    egress,
  };
}

/** The tier's name; that it exists is checked when everything is read. `policy` is for messages. */
function readTier(tier: string | null | undefined, policy: string, context: ResourceContext): string {
  const name = tier === "" ? DEFAULT_TIER : (tier ?? DEFAULT_TIER);
  if (name !== DEFAULT_TIER) context.refersToTier(policy, name, ["spec", "tier"]);
  return name;
}

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
  return readPolicyTypes(given, "types", { ingress, egress }, context);
}
