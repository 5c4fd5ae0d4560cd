/**
 * Profile (SEMANTICS 1.8). The labels of the resource here are `labelsToApply`,
 * what endpoints inherit: nothing ever looks at a profile's metadata labels.
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { listOf, warnIfMapping } from "./field-list.ts";
import { BUILT_IN_PROFILE } from "./implicit-profile.ts";
import { defineKind } from "./resource-kind.ts";
import { readLabels } from "./resource-meta.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { readRules, ruleSchema } from "./rule.ts";
import type { Direction, Profile, Rule } from "./types.ts";

const specSchema = z
  .looseObject({
    ingress: listOf(ruleSchema),
    egress: listOf(ruleSchema),
    labelsToApply: z.record(z.string(), z.string()).nullish(),
  })
  .nullish();

export const profile = defineKind({
  kind: "Profile",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert(meta, given, context): Profile {
    const spec = given ?? { ingress: [], egress: [] };
    context.warnUnknownFields(["spec"], spec, ["ingress", "egress", "labelsToApply"]);
    const readDirection = (direction: Direction): Rule[] => {
      warnIfMapping(["spec", direction], context);
      return readRules(spec[direction], { namespace: undefined, direction }, ["spec", direction], context);
    };
    const profile: Profile = {
      kind: "Profile",
      name: meta.name,
      location: meta.location,
      labels: readLabels(spec.labelsToApply ?? {}, ["spec", "labelsToApply"], context),
      ingress: readDirection("ingress"),
      egress: readDirection("egress"),
    };
    // A built-in profile may be repeated, as an export from a cluster does, but not changed.
    if (profile.name === BUILT_IN_PROFILE.name && !isSameProfile(profile, BUILT_IN_PROFILE)) {
      const message = "the profile is built in, allows everything both ways and cannot be changed";
      const hint = "remove the document, and use a profile of your own for other rules";
      context.error("RAMPART_E_VALUE", ["metadata", "name"], message, hint);
    }
    return profile;
  },
});

function isSameProfile(one: Profile, other: Profile): boolean {
  const content = ({ labels, ingress, egress }: Profile): unknown => [
    Object.entries(labels),
    ...[ingress, egress].map((rules) => rules.map((rule) => ({ ...rule, location: undefined }))),
  ];
  return isDeepStrictEqual(content(one), content(other));
}
