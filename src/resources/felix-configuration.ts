/**
 * FelixConfiguration (SEMANTICS 1.13). Field names are compared without regard
 * to case, as Felix does; fields that do not concern a host firewall are
 * accepted and have no effect.
 */
import { z } from "zod";
import { readFailsafePorts } from "./failsafe-port.ts";
import type { ResourceContext } from "./resource-context.ts";
import { defineKind } from "./resource-kind.ts";
import { SUBDOMAIN_NAME } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { FelixConfiguration } from "./types.ts";
import { refuseFeature } from "./unsupported-feature.ts";
import type { ValuePath } from "./yaml-document.ts";

const INBOUND = "failsafeInboundHostPorts";
const OUTBOUND = "failsafeOutboundHostPorts";
const DENY_ACTION = "iptablesFilterDenyAction";
const NODE_SELECTOR = "nodeSelector";

const specSchema = z.record(z.string(), z.unknown()).nullish();

export const felixConfiguration = defineKind({
  kind: "FelixConfiguration",
  nameRule: SUBDOMAIN_NAME,
  spec: specSchema,
  convert(meta, given, context): FelixConfiguration {
    const fields = new FieldsWithoutCase(given ?? {}, context);
    refuseFeature(given ?? {}, fields.spelling(NODE_SELECTOR), ["spec"], context);
    if (meta.name !== "default" && !meta.name.startsWith("node.")) {
      const message = "only `default` and `node.<host>` have an effect";
      context.warn("RAMPART_W_FELIX_NAME", ["metadata", "name"], message);
    }
    return {
      ...meta,
      kind: "FelixConfiguration",
      failsafeInbound: readFailsafePorts(fields.get(INBOUND), ["spec", fields.spelling(INBOUND)], context),
      failsafeOutbound: readFailsafePorts(fields.get(OUTBOUND), ["spec", fields.spelling(OUTBOUND)], context),
      denyAction: readDenyAction(fields.get(DENY_ACTION), ["spec", fields.spelling(DENY_ACTION)], context),
    };
  },
});

class FieldsWithoutCase {
  private readonly spec: Readonly<Record<string, unknown>>;
  private readonly spellings = new Map<string, string>();

  constructor(spec: Readonly<Record<string, unknown>>, context: ResourceContext) {
    this.spec = spec;
    const known = [INBOUND, OUTBOUND].map((name) => name.toLowerCase());
    for (const key of Object.keys(spec)) {
      const folded = key.toLowerCase();
      const first = this.spellings.get(folded);
      if (first !== undefined) {
        const message = `the same field as ${first}, which is already given`;
        context.errorAtKey("RAMPART_E_VALUE", ["spec", key], message, "keep one of the two");
      }
      this.spellings.set(folded, key);
      if (folded.startsWith("failsafe") && !known.includes(folded)) {
        const message = `unknown field, it has no effect; did you mean ${INBOUND} or ${OUTBOUND}?`;
        context.warn("RAMPART_W_FIELD_IGNORED", ["spec", key], message);
      }
    }
  }

  get(name: string): unknown {
    return this.spec[this.spelling(name)];
  }

  /** The key as the file spells it. */
  spelling(name: string): string {
    return this.spellings.get(name.toLowerCase()) ?? name;
  }
}

function readDenyAction(
  value: unknown,
  path: ValuePath,
  context: ResourceContext,
): FelixConfiguration["denyAction"] {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") {
    if (value.toLowerCase() === "drop") return "Drop";
    if (value.toLowerCase() === "reject") return "Reject";
  }
  context.error("RAMPART_E_VALUE", path, `${describe(value)} is not a deny action`, "expected Drop or Reject");
  return undefined;
}
