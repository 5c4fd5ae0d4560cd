/**
 * `stagedAction` of the Staged* kinds (SEMANTICS 1.14). Only `Set` is a policy
 * to be previewed; the others are read and checked, and there is nothing to
 * count for them.
 */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import { isUnset } from "./unsupported-feature.ts";

const ACTIONS = ["Set", "Delete", "Learn", "Ignore"] as const;

export const stagedActionFields = { stagedAction: z.enum([...ACTIONS, ""]).nullish() };

type StagedSpec = Readonly<Record<string, unknown>> & {
  readonly stagedAction?: (typeof ACTIONS)[number] | "" | null | undefined;
};

/** True if the document is a policy to preview; with `Delete` every other field but the tier must be empty. */
export function isPreview(spec: StagedSpec, context: ResourceContext): boolean {
  const action = spec.stagedAction ?? "";
  if (action === "" || action === "Set") return true;
  if (action === "Delete") {
    for (const [field, value] of Object.entries(spec)) {
      if (field === "stagedAction" || field === "tier" || isUnset(value)) continue;
      const hint = "with stagedAction Delete give nothing else but the tier";
      context.errorAtKey("RAMPART_E_VALUE", ["spec", field], "a policy to be deleted has no content", hint);
    }
  }
  const message = `${action} has no packets to count: only policies with stagedAction Set are previewed`;
  context.warn("RAMPART_W_STAGED_ACTION", ["spec", "stagedAction"], message);
  return false;
}
