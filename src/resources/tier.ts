/** Tier, and the tiers that always exist (SEMANTICS 1.6). */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { TIER_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { Tier } from "./types.ts";

const BUILT_IN_LOCATION = { file: "(built in)", line: 1, column: 1 };

function builtIn(name: string, order: number, defaultAction: Tier["defaultAction"]): Tier {
  return { kind: "Tier", name, labels: {}, location: BUILT_IN_LOCATION, order, defaultAction };
}

export const BUILT_IN_TIERS: readonly Tier[] = [
  builtIn("default", 1_000_000, "Deny"),
  builtIn("kube-admin", 1000, "Pass"),
  builtIn("kube-baseline", 10_000_000, "Pass"),
];

const specSchema = z
  .looseObject({
    order: z.number().nullish(),
    defaultAction: z.enum(["Deny", "Pass"]).nullish(),
  })
  .nullish();

type TierSpec = NonNullable<z.output<typeof specSchema>>;

export const tier = defineKind({
  kind: "Tier",
  nameRule: TIER_NAME,
  spec: specSchema,
  convert(meta, given, context): Tier {
    const spec: TierSpec = given ?? {};
    context.warnUnknownFields(["spec"], spec, ["order", "defaultAction"]);
    const standard = BUILT_IN_TIERS.find((known) => known.name === meta.name);
    if (standard !== undefined) {
      requireBuiltInValue("order", spec.order, standard.order, context);
      requireBuiltInValue("defaultAction", spec.defaultAction, standard.defaultAction, context);
      return { ...meta, kind: "Tier", order: standard.order, defaultAction: standard.defaultAction };
    }
    return {
      ...meta,
      kind: "Tier",
      order: spec.order ?? undefined,
      defaultAction: spec.defaultAction ?? "Deny",
    };
  },
});

/** A built-in tier may be repeated, as an export from a cluster does, but not changed. */
function requireBuiltInValue(field: string, given: unknown, fixed: unknown, context: ResourceContext): void {
  if (given === undefined || given === null || given === fixed) return;
  const message = `${describe(given)} would change a built-in tier`;
  const hint = `leave ${field} out or write ${String(fixed)}; for other values use a tier of your own`;
  context.error("RAMPART_E_VALUE", ["spec", field], message, hint);
}
