/**
 * `stagedAction` of the Staged* kinds (SEMANTICS 1.14). `Set` previews the
 * policy it is written in, `Delete` the absence of the enforced policy of the
 * same name; `Learn` and `Ignore` are read, checked and left out.
 */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import { isUnset } from "./unset-value.ts";
import type { Policy } from "./types.ts";

const ACTIONS = ["Set", "Delete", "Learn", "Ignore"] as const;

export const stagedActionFields = { stagedAction: z.enum([...ACTIONS, ""]).nullish() };

type StagedSpec = Readonly<Record<string, unknown>> & {
  readonly stagedAction?: (typeof ACTIONS)[number] | "" | null | undefined;
};

/** The staged policy, undefined where there is nothing to preview; with `Delete` all fields but the tier must be empty. */
export function readStaged(policy: Policy, spec: StagedSpec, context: ResourceContext): Policy | undefined {
  const action = spec.stagedAction ?? "";
  switch (action) {
    case "":
    case "Set":
      return { ...policy, stagedAction: "Set" };
    case "Delete":
      checkEmpty(spec, context);
      return { ...policy, stagedAction: "Delete" };
    case "Learn":
    case "Ignore": {
      const message = `${action} has no effect to preview: only policies with stagedAction Set or Delete are evaluated`;
      context.warn("RAMPART_W_STAGED_ACTION", ["spec", "stagedAction"], message);
      return undefined;
    }
  }
}

function checkEmpty(spec: StagedSpec, context: ResourceContext): void {
  for (const [field, value] of Object.entries(spec)) {
    if (field === "stagedAction" || field === "tier" || isUnset(value)) continue;
    const hint = "with stagedAction Delete give nothing else but the tier";
    context.errorAtKey("RAMPART_E_VALUE", ["spec", field], "a policy to be deleted has no content", hint);
  }
}
