/**
 * FelixConfiguration (SEMANTICS 1.13). What is accepted acts, or is warned
 * about; fields that do not concern a host firewall are passed over. Which
 * document holds on which node is decided once all are read (felix-nodes.ts).
 */
import { z } from "zod";
import { readFailsafePorts } from "./failsafe-port.ts";
import { FelixFields } from "./felix-field.ts";
import type { FelixDocument } from "./inventory.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { readSelector } from "./selector-field.ts";

const INBOUND = "failsafeInboundHostPorts";
const OUTBOUND = "failsafeOutboundHostPorts";
const NODE_SELECTOR = "nodeSelector";

/** Fields that change what passes in Calico and cannot here, with the values that ask for nothing. */
const WITHOUT_EFFECT: readonly { readonly field: string; readonly idle: readonly string[]; readonly why: string }[] = [
  { field: "chainInsertMode", idle: ["insert"], why: "Rampart's jumps always come first in a base chain" },
  { field: "iptablesFilterAllowAction", idle: ["accept"], why: "what policy allows is accepted" },
  { field: "wireguardEnabled", idle: ["false"], why: "allow the WireGuard port by policy or as a failsafe port" },
  { field: "wireguardEnabledV6", idle: ["false"], why: "allow the WireGuard port by policy or as a failsafe port" },
  { field: "bpfEnabled", idle: ["false"], why: "Rampart filters with iptables and NFQUEUE" },
];

export const felixConfiguration = defineKind({
  kind: "FelixConfiguration",
  nameRule: SUBDOMAIN_NAME,
  spec: z.record(z.string(), z.unknown()).nullish(),
  convert(meta, given, context): FelixDocument {
    const fields = new FelixFields(given ?? {}, context);
    warnOfFields(fields, context);
    return {
      ...meta,
      kind: "FelixConfiguration",
      nodeSelector: readNodeSelector(meta.name, fields, context),
      failsafeInbound: readFailsafePorts(fields.get(INBOUND), fields.path(INBOUND), context),
      failsafeOutbound: readFailsafePorts(fields.get(OUTBOUND), fields.path(OUTBOUND), context),
      denyAction: fields.choice("iptablesFilterDenyAction", ["Drop", "Reject"]),
      interfacePrefixes: fields.interfacePrefixes("interfacePrefix"),
      defaultEndpointToHostAction: fields.choice("defaultEndpointToHostAction", ["Drop", "Accept", "Return"]),
      disableConntrackInvalidCheck: fields.flag("disableConntrackInvalidCheck"),
      logPrefix: fields.text("logPrefix"),
      logActionRateLimit: fields.rate("logActionRateLimit"),
      logActionRateLimitBurst: fields.count("logActionRateLimitBurst"),
      allowVxlanFromWorkloads: fields.flag("allowVXLANPacketsFromWorkloads"),
      allowIpipFromWorkloads: fields.flag("allowIPIPPacketsFromWorkloads"),
      vxlanPort: fields.port("vxlanPort"),
      workloadSourceSpoofing: fields.choice("workloadSourceSpoofing", ["Disabled", "Any"]),
      serviceLoopPrevention: fields.choice("serviceLoopPrevention", ["Drop", "Reject", "Disabled"]),
      ipipEnabled: fields.flag("ipipEnabled"),
      vxlanEnabled: fields.flag("vxlanEnabled"),
      externalNodes: fields.nets("externalNodesList"),
      ipv6Support: fields.flag("ipv6Support"),
    };
  },
});

function readNodeSelector(
  name: string,
  fields: FelixFields,
  context: ResourceContext,
): FelixDocument["nodeSelector"] {
  const selector = readSelector(fields.text(NODE_SELECTOR), fields.path(NODE_SELECTOR), context);
  const byName = name === "default" || name.startsWith("node.");
  if (byName && selector !== undefined) {
    const hint = `${name} is for its nodes by its name; move the settings to a FelixConfiguration of another name`;
    context.error("RAMPART_E_VALUE", fields.path(NODE_SELECTOR), `${name} cannot have a nodeSelector`, hint);
  }
  if (!byName && selector === undefined) {
    const message = "without nodeSelector, only `default` and `node.<host>` have an effect";
    context.warn("RAMPART_W_FELIX_NAME", ["metadata", "name"], message);
  }
  return selector;
}

function warnOfFields(fields: FelixFields, context: ResourceContext): void {
  const known = [INBOUND, OUTBOUND].map((name) => name.toLowerCase());
  for (const key of fields.keys) {
    const folded = key.toLowerCase();
    if (!folded.startsWith("failsafe") || known.includes(folded)) continue;
    const message = `unknown field, it has no effect; did you mean ${INBOUND} or ${OUTBOUND}?`;
    context.warn("RAMPART_W_FIELD_IGNORED", ["spec", key], message);
  }
  for (const { field, idle, why } of WITHOUT_EFFECT) {
    const value = fields.get(field);
    if (value === undefined || idle.includes(String(value).toLowerCase())) continue;
    context.warn("RAMPART_W_FELIX_NO_EFFECT", fields.path(field), `has no effect here: ${why}`);
  }
  if (fields.get("ipv6Support") === false) {
    const message = "IPv6 IS NOT POLICED on the nodes this holds for: none of its packets is looked at";
    context.warn("RAMPART_W_FELIX_NO_IPV6", fields.path("ipv6Support"), message);
  }
  const burst = "logActionRateLimitBurst";
  if (fields.get(burst) !== undefined && fields.get("logActionRateLimit") === undefined) {
    context.warn("RAMPART_W_FELIX_NO_EFFECT", fields.path(burst), "has no effect without logActionRateLimit");
  }
}
