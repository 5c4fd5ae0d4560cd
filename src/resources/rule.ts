/**
 * One ingress or egress rule (SEMANTICS 1.3). An unknown field in a rule is an
 * error: a criterion that is ignored makes an Allow wider than it was written.
 */
import { z } from "zod";
import type { Cidr, Family } from "../address/address.ts";
import type { RuleScope } from "./entity-rule.ts";
import { entitySchema, readEntityRule } from "./entity-rule.ts";
import { httpSchema, refuseHttp } from "./http-match.ts";
import { icmpSchema, readIcmpMatch } from "./icmp-match.ts";
import { hasPorts, ICMP, ICMPV6, protocolSchema, readProtocol } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe } from "./schema-issue.ts";
import type { Action, EntityRule, Rule } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const ACTIONS: readonly Action[] = ["Allow", "Deny", "Log", "Pass"];

const FIELDS_HINT =
  "a rule has action, ipVersion, protocol, notProtocol, icmp, notICMP, source, destination, http and metadata; " +
  "nets, ports and selector belong to source or destination. An ignored criterion would widen the rule";

export const ruleSchema = z.strictObject(
  {
    action: z.string(),
    ipVersion: z.literal([4, 6]).nullish(),
    protocol: protocolSchema,
    notProtocol: protocolSchema,
    icmp: icmpSchema,
    notICMP: icmpSchema,
    source: entitySchema,
    destination: entitySchema,
    http: httpSchema,
    metadata: z.unknown().optional(),
  },
  { error: (issue) => (issue.code === "unrecognized_keys" ? FIELDS_HINT : undefined) },
);

type RawRule = z.output<typeof ruleSchema>;

/** SEMANTICS 1.3, with the effective selectors of 1.9. Services are left to linking (service-reference.ts). */
export function readRules(
  rules: readonly RawRule[],
  scope: RuleScope,
  path: ValuePath,
  context: ResourceContext,
): Rule[] {
  return rules.map((rule, index) => readRule(rule, scope, [...path, index], context));
}

function readRule(rule: RawRule, scope: RuleScope, path: ValuePath, context: ResourceContext): Rule {
  const protocol = readProtocol(rule.protocol, [...path, "protocol"], context);
  refuseHttp(rule, protocol, scope.direction, path, context);
  // An unreadable protocol is one error; what depends on it says nothing more.
  const protocolRead = protocol !== undefined || rule.protocol === undefined || rule.protocol === null;
  const ports = !protocolRead || hasPorts(protocol) ? "all" : protocol === undefined ? "named" : "none";
  const notProtocol = readProtocol(rule.notProtocol, [...path, "notProtocol"], context);
  const ipVersion = rule.ipVersion ?? undefined;
  checkIcmpFamily(protocol, ipVersion, [...path, "protocol"], context);
  checkIcmpFamily(notProtocol, ipVersion, [...path, "notProtocol"], context);
  const icmp = rule.icmp ?? undefined;
  if (icmp !== undefined && protocolRead && protocol !== ICMP && protocol !== ICMPV6) {
    const hint = "set protocol to ICMP (IPv4) or ICMPv6";
    context.errorAtKey("RAMPART_E_VALUE", [...path, "icmp"], "icmp needs protocol ICMP or ICMPv6", hint);
  }
  const source = readEntityRule(rule.source, { ...scope, side: "source", ports }, [...path, "source"], context);
  const destinationScope = { ...scope, side: "destination", ports } as const;
  const destination = readEntityRule(rule.destination, destinationScope, [...path, "destination"], context);
  // ICMP exists only over IPv4 and ICMPv6 only over IPv6 (RFC 792, RFC 4443).
  const family = ipVersion ?? icmpFamily(protocol);
  checkNetFamilies(source, destination, ipVersion, family, path, context);
  return {
    action: readAction(rule.action, [...path, "action"], context),
    ipVersion: family,
    protocol,
    notProtocol,
    icmp: readIcmpMatch(icmp, [...path, "icmp"], context),
    notIcmp: readIcmpMatch(rule.notICMP, [...path, "notICMP"], context),
    source,
    destination,
    location: context.location(path),
  };
}

function readAction(text: string, path: ValuePath, context: ResourceContext): Action {
  const action = ACTIONS.find((known) => known.toLowerCase() === text.toLowerCase());
  if (action !== undefined) return action;
  context.error("RAMPART_E_VALUE", path, `${describe(text)} is not an action`, `expected ${ACTIONS.join(", ")}`);
  return "Deny";
}

function icmpFamily(protocol: number | undefined): Family | undefined {
  if (protocol === ICMP) return 4;
  return protocol === ICMPV6 ? 6 : undefined;
}

function checkIcmpFamily(
  protocol: number | undefined,
  ipVersion: Family | undefined,
  path: ValuePath,
  context: ResourceContext,
): void {
  const family = icmpFamily(protocol);
  if (family === undefined || ipVersion === undefined || family === ipVersion) return;
  const name = family === 4 ? "ICMP" : "ICMPv6";
  const hint = `leave ipVersion out, or use ${family === 4 ? "ICMPv6" : "ICMP"}`;
  context.error("RAMPART_E_VALUE", path, `${name} does not exist over IPv${ipVersion}`, hint);
}

/** All prefixes of a rule are of one IP version, and of `ipVersion` where that is given. */
function checkNetFamilies(
  source: EntityRule,
  destination: EntityRule,
  ipVersion: Family | undefined,
  effective: Family | undefined,
  path: ValuePath,
  context: ResourceContext,
): void {
  const lists: [ValuePath, readonly Cidr[]][] = [
    [[...path, "source", "nets"], source.nets],
    [[...path, "source", "notNets"], source.notNets],
    [[...path, "destination", "nets"], destination.nets],
    [[...path, "destination", "notNets"], destination.notNets],
  ];
  let family = ipVersion;
  for (const [listPath, nets] of lists) {
    for (const net of nets) {
      family ??= net.family;
      if (net.family === family) continue;
      const message = `mixes an IPv${net.family} prefix into a rule for IPv${family}`;
      context.error("RAMPART_E_CIDR", listPath, message, "write one rule for IPv4 and one for IPv6");
      return;
    }
  }
  if (effective !== undefined && family !== undefined && family !== effective) {
    const message = `the rule never matches: its protocol is of IPv${effective}, its prefixes are of IPv${family}`;
    context.warn("RAMPART_W_NEVER_MATCHES", path, message);
  }
}
