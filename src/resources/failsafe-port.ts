/**
 * Failsafe lists in every form Felix knows (SEMANTICS 3.6). "Not set" and
 * "none" are different answers: the first keeps the defaults, the second turns
 * failsafes off. A list with any invalid entry is an error, never a shorter list.
 */
import { z } from "zod";
import type { Cidr } from "../address/address.ts";
import { parseCidr } from "../address/address.ts";
import { asList, warnIfMapping } from "./field-list.ts";
import { isPort } from "./port-range.ts";
import type { ResourceContext } from "./resource-context.ts";
import { describe, parseShape } from "./schema-issue.ts";
import type { FailsafePort } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";

const FORMS = "expected port, protocol:port, protocol:net:port or protocol:[ipv6 net]:port, protocol tcp, udp or sctp";

const objectSchema = z.looseObject({ protocol: z.string(), port: z.number(), net: z.string().nullish() });
const entrySchema = z.union([z.string(), z.number(), z.record(z.string(), z.unknown())]);
type Entry = z.output<typeof entrySchema>;

/** undefined: not set, or an error was reported; empty: no failsafes. */
export function readFailsafePorts(
  value: unknown,
  path: ValuePath,
  context: ResourceContext,
): FailsafePort[] | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  warnIfMapping(path, context);
  const list = typeof value === "string" ? value.split(",").map((part) => part.trim()) : asList(value);
  const entries = parseShape(z.array(entrySchema), list, path, context);
  if (entries === undefined) return undefined;
  if (entries.some(isNone)) {
    if (entries.length === 1) return [];
    const hint = '"none" stands alone; remove it, or the other entries';
    context.error("RAMPART_E_VALUE", path, '"none" is mixed with ports', hint);
    return undefined;
  }
  const ports: FailsafePort[] = [];
  for (const [index, entry] of entries.entries()) {
    const port = readEntry(entry, typeof value === "string" ? path : [...path, index], context);
    if (port !== undefined) ports.push(port);
  }
  return ports;
}

function isNone(entry: Entry): boolean {
  return typeof entry === "string" && entry.toLowerCase() === "none";
}

function readEntry(entry: Entry, path: ValuePath, context: ResourceContext): FailsafePort | undefined {
  if (typeof entry === "number") return check("tcp", entry, undefined, entry, path, context);
  if (typeof entry === "object") {
    const object = parseShape(objectSchema, entry, path, context);
    if (object === undefined) return undefined;
    context.warnUnknownFields(path, object, Object.keys(objectSchema.shape));
    const net = object.net === null || object.net === "" ? undefined : object.net;
    return check(object.protocol, object.port, net, object.port, path, context);
  }
  // protocol, net and port; an IPv6 net stands in brackets because of its colons.
  const parts = /^(?:([^:]*):)?(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?([^:]*)$/.exec(entry);
  if (parts === null) {
    context.error("RAMPART_E_VALUE", path, `${describe(entry)} is not a failsafe port`, FORMS);
    return undefined;
  }
  const [, protocol = "tcp", bracketed, plain, port = ""] = parts;
  const number = /^[0-9]+$/.test(port) ? Number(port) : Number.NaN;
  return check(protocol, number, bracketed ?? plain, entry, path, context);
}

function check(
  protocolText: string,
  port: number,
  netText: string | undefined,
  shown: string | number,
  path: ValuePath,
  context: ResourceContext,
): FailsafePort | undefined {
  const protocol = protocolText.toLowerCase();
  if (protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    context.error("RAMPART_E_VALUE", path, `${describe(protocolText)} is not tcp, udp or sctp`, FORMS);
    return undefined;
  }
  if (!isPort(port)) {
    context.error("RAMPART_E_PORT", path, `${describe(shown)}: the port is not a number from 1 to 65535`, FORMS);
    return undefined;
  }
  let net: Cidr | undefined;
  if (netText !== undefined) {
    const parsed = parseCidr(netText);
    if (!parsed.ok) {
      context.error("RAMPART_E_CIDR", path, `${describe(netText)} is not an IP prefix`, FORMS);
      return undefined;
    }
    net = parsed.cidr;
  }
  return { protocol, port, net };
}
