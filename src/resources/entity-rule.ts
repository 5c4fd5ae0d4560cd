/** `source` and `destination` of a rule (SEMANTICS 1.4). */
import { z } from "zod";
import { listOf, warnIfMapping } from "./field-list.ts";
import { readRuleNets } from "./net-list.ts";
import { portsSchema, readPorts } from "./port-range.ts";
import type { ResourceContext } from "./resource-context.ts";
import { readOptionalSelector } from "./selector-field.ts";
import type { EntityRule } from "./types.ts";
import { refuseFeature } from "./unsupported-feature.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_NETS = 256;

const FIELDS_HINT =
  "source and destination have nets, notNets, selector, notSelector, ports and notPorts; " +
  "protocol and icmp belong to the rule. An ignored criterion would widen the rule";

export const entitySchema = z
  .strictObject(
    {
      nets: listOf(z.string(), MAX_NETS),
      notNets: listOf(z.string(), MAX_NETS),
      selector: z.string().nullish(),
      notSelector: z.string().nullish(),
      ports: portsSchema,
      notPorts: portsSchema,
      namespaceSelector: z.unknown().optional(),
      serviceAccounts: z.unknown().optional(),
      services: z.unknown().optional(),
    },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  )
  .nullish();

const NO_CONSTRAINT: EntityRule = {
  nets: [],
  notNets: [],
  selector: undefined,
  notSelector: undefined,
  ports: [],
  notPorts: [],
};

export function readEntityRule(
  entity: z.output<typeof entitySchema>,
  portsAllowed: boolean,
  path: ValuePath,
  context: ResourceContext,
): EntityRule {
  if (entity === undefined || entity === null) return NO_CONSTRAINT;
  refuseFeature(entity, "namespaceSelector", path, context);
  refuseFeature(entity, "serviceAccounts", path, context);
  refuseFeature(entity, "services", path, context);
  const notNets = readRuleNets(entity.notNets, [...path, "notNets"], context);
  if (notNets.some((net) => net.prefix === 0)) {
    const message = "excludes every address of its IP version, so the rule could never match";
    context.error("RAMPART_E_CIDR", [...path, "notNets"], message, "remove the catch-all prefix, or the rule");
  }
  for (const field of ["ports", "notPorts"] as const) {
    if (entity[field].length === 0) continue;
    warnIfMapping([...path, field], context);
    if (!portsAllowed) {
      const hint = "set the rule's protocol to one of them";
      context.errorAtKey("RAMPART_E_PORT", [...path, field], "ports need protocol TCP, UDP or SCTP", hint);
    }
  }
  return {
    nets: readRuleNets(entity.nets, [...path, "nets"], context),
    notNets,
    selector: readOptionalSelector(entity.selector, [...path, "selector"], context),
    notSelector: readOptionalSelector(entity.notSelector, [...path, "notSelector"], context),
    ports: readPorts(entity.ports, [...path, "ports"], context),
    notPorts: readPorts(entity.notPorts, [...path, "notPorts"], context),
  };
}
