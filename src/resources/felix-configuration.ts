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
const INTERFACE_PREFIX = "interfacePrefix";
const TO_HOST = "defaultEndpointToHostAction";
const NODE_SELECTOR = "nodeSelector";

const DENY_ACTIONS = ["Drop", "Reject"] as const;
const TO_HOST_ACTIONS = ["Drop", "Accept", "Return"] as const;

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
      failsafeInbound: readFailsafePorts(fields.get(INBOUND), fields.path(INBOUND), context),
      failsafeOutbound: readFailsafePorts(fields.get(OUTBOUND), fields.path(OUTBOUND), context),
      denyAction: readChoice(fields.get(DENY_ACTION), DENY_ACTIONS, fields.path(DENY_ACTION), context),
      interfacePrefixes: readPrefixes(fields.get(INTERFACE_PREFIX), fields.path(INTERFACE_PREFIX), context),
      defaultEndpointToHostAction: readChoice(fields.get(TO_HOST), TO_HOST_ACTIONS, fields.path(TO_HOST), context),
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

  path(name: string): ValuePath {
    return ["spec", this.spelling(name)];
  }

  /** The key as the file spells it. */
  spelling(name: string): string {
    return this.spellings.get(name.toLowerCase()) ?? name;
  }
}

/** One of `choices` in any case; undefined if nothing is given, or RAMPART_E_VALUE was reported. */
function readChoice<C extends string>(
  value: unknown,
  choices: readonly C[],
  path: ValuePath,
  context: ResourceContext,
): C | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = typeof value === "string" ? value.toLowerCase() : undefined;
  const choice = choices.find((each) => each.toLowerCase() === text);
  if (choice !== undefined) return choice;
  context.error("RAMPART_E_VALUE", path, `${describe(value)} is not allowed here`, `expected ${choices.join(" or ")}`);
  return undefined;
}

/** A list with commas; an empty prefix would make every interface a workload's. */
function readPrefixes(value: unknown, path: ValuePath, context: ResourceContext): string[] | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string") {
    const prefixes = value.split(",").map((prefix) => prefix.trim());
    if (prefixes.every((prefix) => /^[a-zA-Z0-9_-]{1,15}$/.test(prefix))) return prefixes;
  }
  const hint = 'expected prefixes of letters, digits, `_` and `-` with commas between, such as "cali,tap"';
  context.error("RAMPART_E_VALUE", path, `${describe(value)} is no list of interface prefixes`, hint);
  return undefined;
}
