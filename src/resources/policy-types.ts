/** `types` of Calico's policies and `policyTypes` of Kubernetes', where they are given (SEMANTICS 1.5, 4). */
import type { ResourceContext } from "./resource-context.ts";
import type { Direction } from "./types.ts";

/** The directions, each of which may be named once. Rules of a direction that is left out are warned about. */
export function readPolicyTypes(
  given: readonly ("Ingress" | "Egress")[],
  field: "types" | "policyTypes",
  rules: Readonly<Record<Direction, readonly unknown[]>>,
  context: ResourceContext,
): Direction[] {
  if (given[0] === given[1]) {
    const hint = "name each direction once";
    context.error("RAMPART_E_VALUE", ["spec", field, 1], `${given[0]} is listed twice`, hint);
  }
  const types: Direction[] = [];
  if (given.includes("Ingress")) types.push("ingress");
  if (given.includes("Egress")) types.push("egress");
  for (const direction of ["ingress", "egress"] as const) {
    if (rules[direction].length === 0 || types.includes(direction)) continue;
    const message = `these rules have no effect, because spec.${field} does not list ${direction}`;
    context.warn("RAMPART_W_RULES_IGNORED", ["spec", direction], message);
  }
  return types;
}
