/**
 * Selectors that cannot choose anything, because they ask for a label that
 * nobody has. What a selector only excludes, or can do without in another
 * branch of an `||`, it does not ask for.
 */
import type { SourceLocation } from "../errors/rampart-error.ts";
import type { Policy, ResourceSet } from "../resources/types.ts";
import type { Selector } from "../selector/ast.ts";
import { formatSelector } from "../selector/format.ts";
import type { LabelCatalogue, LabelNode } from "./label-catalogue.ts";
import type { LintWarning } from "./lint-warning.ts";
import { policyTitle } from "./lint-warning.ts";

/** Nothing is known to be missing while there is neither an endpoint nor a network set. */
export function lintUnknownLabels(set: ResourceSet, catalogue: LabelCatalogue): LintWarning[] {
  if (set.hostEndpoints.length + set.workloadEndpoints.length + set.networkSets.length === 0) return [];
  const missing = (selector: Selector | undefined): readonly string[] => {
    if (selector === undefined) return [];
    return [...new Set(catalogue.unmet(selector).map((node) => describe(node, catalogue)))];
  };
  return set.policies.flatMap((policy) => [
    ...missing(policy.selector).map((label) => warning(policy, "its selector", label, policy.location)),
    ...policy.types.flatMap((direction) =>
      policy[direction].flatMap(({ source, destination, location }) => [
        ...missing(source.selector).map((label) => warning(policy, "the source of a rule", label, location)),
        ...missing(destination.selector).map((label) => warning(policy, "the destination of a rule", label, location)),
      ]),
    ),
  ]);
}

function warning(policy: Policy, who: string, label: string, location: SourceLocation): LintWarning {
  return {
    code: "RAMPART_W_UNKNOWN_LABEL",
    message: `${policyTitle(policy)}: ${who} asks for ${label}, which no endpoint, network set or namespace has`,
    hint: "correct the label in the selector, or add it to what is meant",
    location,
  };
}

const SCOPES: readonly (readonly [prefix: string, title: string])[] = [
  ["pcns.", "namespace label"],
  ["pcsa.", "service account label"],
];

/** The label alone if nobody has it with any value; labels of a place under the name they have there. */
function describe(node: LabelNode, catalogue: LabelCatalogue): string {
  const [prefix, title] = SCOPES.find(([each]) => node.label.startsWith(each)) ?? ["", "label"];
  const label = node.label.slice(prefix.length);
  return `the ${title} ${catalogue.has(node.label) ? formatSelector({ ...node, label }) : label}`;
}
