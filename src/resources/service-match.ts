/**
 * `services` of a rule (SEMANTICS 1.4): where it may stand and what it excludes.
 * It names backends, so it takes the place of every other way to say which
 * addresses are meant, and as a destination of the ports too.
 */
import { z } from "zod";
import type { ResourceContext } from "./resource-context.ts";
import { NAMESPACE_NAME } from "./resource-name.ts";
import type { ServiceReference } from "./service-reference.ts";
import type { Direction } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FIELDS_HINT = "services has name and namespace; an ignored criterion would widen the rule";

export const servicesSchema = z
  .strictObject(
    { name: z.string(), namespace: z.string().nullish() },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  )
  .nullish();

interface ServiceScope {
  readonly namespace: string | undefined;
  readonly direction: Direction;
  readonly side: "source" | "destination";
}

type EntityFields = Readonly<Record<string, unknown>> & { readonly services?: z.output<typeof servicesSchema> };

const EXCLUDED = ["selector", "notSelector", "namespaceSelector", "serviceAccounts", "nets", "notNets"];
const EXCLUDED_AS_DESTINATION = [...EXCLUDED, "ports", "notPorts"];

/** undefined if there is no `services`; a wrong one is reported and still returned, for its document is refused. */
export function readServiceReference(
  entity: EntityFields,
  scope: ServiceScope,
  path: ValuePath,
  context: ResourceContext,
): ServiceReference | undefined {
  const services = entity.services;
  if (services === undefined || services === null) return undefined;
  const servicesPath = [...path, "services"];
  if (scope.side !== (scope.direction === "egress" ? "destination" : "source")) {
    const hint = "services is for the destination of egress rules and the source of ingress rules";
    const message = `services cannot be the ${scope.side} of an ${scope.direction} rule`;
    context.errorAtKey("RAMPART_E_VALUE", servicesPath, message, hint);
  }
  for (const field of scope.side === "destination" ? EXCLUDED_AS_DESTINATION : EXCLUDED) {
    if (isEmpty(entity[field])) continue;
    const hint = "a service already says which addresses and ports are meant; write a rule of its own";
    context.errorAtKey("RAMPART_E_VALUE", [...path, field], `${field} cannot stand beside services`, hint);
  }
  const namespace = services.namespace ?? "";
  checkName("name", services.name, servicesPath, context);
  if (namespace !== "") checkName("namespace", namespace, servicesPath, context);
  else if (scope.namespace === undefined) {
    const hint = "a global policy is in no namespace; say in which the service is";
    context.error("RAMPART_E_FIELD_MISSING", servicesPath, "services needs a namespace here", hint);
  }
  return {
    name: services.name,
    namespace: namespace === "" ? (scope.namespace ?? "") : namespace,
    location: context.location(servicesPath),
  };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function checkName(field: string, name: string, path: ValuePath, context: ResourceContext): void {
  if (NAMESPACE_NAME.pattern.test(name)) return;
  const message = `${JSON.stringify(name)} is not a valid name`;
  context.error("RAMPART_E_NAME", [...path, field], message, `expected ${NAMESPACE_NAME.expected}`);
}
