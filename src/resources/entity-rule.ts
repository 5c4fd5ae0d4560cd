/** `source` and `destination` of a rule (SEMANTICS 1.4), their selectors made effective (1.9). */
import { z } from "zod";
import { effectiveEntity } from "./effective-selector.ts";
import { listOf, warnIfMapping } from "./field-list.ts";
import { readRuleNets } from "./net-list.ts";
import type { PortList } from "./port-range.ts";
import { portsSchema, readPorts } from "./port-range.ts";
import type { ResourceContext } from "./resource-context.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { readNamespaceSelector, readSelector } from "./selector-field.ts";
import { readServiceReference, servicesSchema } from "./service-match.ts";
import { withServiceReference } from "./service-reference.ts";
import type { Direction, EntityRule } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const MAX_NETS = 256;

const FIELDS_HINT =
  "source and destination have nets, notNets, selector, notSelector, namespaceSelector, serviceAccounts, services, " +
  "ports and notPorts; protocol and icmp belong to the rule. An ignored criterion would widen the rule";
const ACCOUNTS_HINT = "serviceAccounts has names and selector; an ignored criterion would widen the rule";

export const entitySchema = z
  .strictObject(
    {
      nets: listOf(z.string(), MAX_NETS),
      notNets: listOf(z.string(), MAX_NETS),
      selector: z.string().nullish(),
      notSelector: z.string().nullish(),
      namespaceSelector: z.string().nullish(),
      serviceAccounts: z
        .strictObject(
          { names: listOf(z.string()), selector: z.string().nullish() },
          { error: (issue) => (issue.code === "unrecognized_keys" ? ACCOUNTS_HINT : undefined) },
        )
        .nullish(),
      services: servicesSchema,
      ports: portsSchema,
      notPorts: portsSchema,
    },
    { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
  )
  .nullish();

type RawEntity = NonNullable<z.output<typeof entitySchema>>;

/** Where a rule stands: what its selectors are confined to, and where `services` may be. */
export interface RuleScope {
  /** undefined: a global policy or a profile. */
  readonly namespace: string | undefined;
  readonly direction: Direction;
}

interface EntityScope extends RuleScope {
  readonly side: "source" | "destination";
  /** Which ports the rule's protocol allows; without a protocol only named ones. */
  readonly ports: "all" | "named" | "none";
}

export const NO_CONSTRAINT: EntityRule = {
  nets: [],
  notNets: [],
  selector: undefined,
  notSelector: undefined,
  ports: [],
  notPorts: [],
  namedPorts: [],
  notNamedPorts: [],
  service: undefined,
};

export function readEntityRule(
  raw: z.output<typeof entitySchema>,
  scope: EntityScope,
  path: ValuePath,
  context: ResourceContext,
): EntityRule {
  if (raw === undefined || raw === null) return NO_CONSTRAINT;
  const notNets = readRuleNets(raw.notNets, [...path, "notNets"], context);
  if (notNets.some((net) => net.prefix === 0)) {
    const message = "excludes every address of its IP version, so the rule could never match";
    context.error("RAMPART_E_CIDR", [...path, "notNets"], message, "remove the catch-all prefix, or the rule");
  }
  const ports = readPortField(raw, "ports", scope, path, context);
  const notPorts = readPortField(raw, "notPorts", scope, path, context);
  const nets = readRuleNets(raw.nets, [...path, "nets"], context);
  const { selector, notSelector } = readSelectors(raw, scope, path, context);
  const entity: EntityRule = {
    nets,
    notNets,
    selector,
    notSelector,
    ports: ports.ranges,
    notPorts: notPorts.ranges,
    namedPorts: ports.names,
    notNamedPorts: notPorts.names,
    service: undefined,
  };
  const service = readServiceReference(raw, scope, path, context);
  return service === undefined ? entity : withServiceReference(entity, service);
}

function readPortField(
  raw: RawEntity,
  field: "ports" | "notPorts",
  scope: EntityScope,
  path: ValuePath,
  context: ResourceContext,
): PortList {
  const fieldPath = [...path, field];
  if (raw[field].length > 0) warnIfMapping(fieldPath, context);
  const ports = readPorts(raw[field], fieldPath, context);
  if (ports.ranges.length > 0 && scope.ports !== "all") {
    const hint = "set the rule's protocol to one of them";
    context.errorAtKey("RAMPART_E_PORT", fieldPath, "ports need protocol TCP, UDP or SCTP", hint);
  } else if (ports.names.length > 0 && scope.ports === "none") {
    const hint = "leave the protocol out, or set it to one of them";
    context.errorAtKey("RAMPART_E_PORT", fieldPath, "named ports are ports of TCP, UDP or SCTP", hint);
  }
  return ports;
}

function readSelectors(
  raw: RawEntity,
  scope: EntityScope,
  path: ValuePath,
  context: ResourceContext,
): Pick<EntityRule, "selector" | "notSelector"> {
  const accounts = raw.serviceAccounts;
  const accountsPath = [...path, "serviceAccounts"];
  for (const [index, name] of (accounts?.names ?? []).entries()) {
    if (SUBDOMAIN_NAME.pattern.test(name)) continue;
    const message = `${JSON.stringify(name)} is not the name of a service account`;
    context.error("RAMPART_E_NAME", [...accountsPath, "names", index], message, `expected ${SUBDOMAIN_NAME.expected}`);
  }
  const given = {
    selector: readSelector(raw.selector, [...path, "selector"], context),
    notSelector: readSelector(raw.notSelector, [...path, "notSelector"], context),
    namespaceSelector: readNamespaceSelector(raw.namespaceSelector, [...path, "namespaceSelector"], context),
    serviceAccountNames: accounts?.names ?? [],
    serviceAccountSelector: readSelector(accounts?.selector, [...accountsPath, "selector"], context),
  };
  return effectiveEntity(given, scope.namespace);
}
