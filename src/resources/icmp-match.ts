/** `icmp` and `notICMP` of a rule (SEMANTICS 1.3). Type 0 and code 0 are values, not absence. */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import type { IcmpMatch } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = "icmp and notICMP have type and code; an ignored criterion would widen the rule";

export const icmpSchema = z
  .strictObject(
    {
      type: z.int().min(0).max(254).nullish(),
      code: z.int().min(0).max(255).nullish(),
    },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  )
  .nullish();

/** undefined if there is nothing to match; a code without a type is RAMPART_E_VALUE. */
export function readIcmpMatch(
  icmp: z.output<typeof icmpSchema>,
  path: ValuePath,
  context: ResourceContext,
): IcmpMatch | undefined {
  const type = icmp?.type ?? undefined;
  const code = icmp?.code ?? undefined;
  if (code !== undefined && type === undefined) {
    context.error("RAMPART_E_VALUE", [...path, "code"], "a code needs a type", "give type as well");
  }
  return type === undefined ? undefined : { type, code };
}
