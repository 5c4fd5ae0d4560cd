/** A named port of an endpoint (SEMANTICS 1.10, 1.11): TCP, UDP or SCTP, and a name by RFC 6335. */
import { isPort } from "./port-range.ts";
import type { protocolSchema } from "./protocol.ts";
import { hasPorts, readProtocol } from "./protocol.ts";
import type { ResourceContext } from "./resource-context.ts";
import { isPortName } from "./resource-name.ts";
import { describe } from "./schema-issue.ts";
import type { EndpointPort } from "./types.ts";
import type { ValuePath } from "./yaml-document.ts";
import type { z } from "zod";

/** undefined with the problem reported. */
export function readEndpointPort(
  name: string,
  protocol: z.output<typeof protocolSchema>,
  port: number,
  path: ValuePath,
  context: ResourceContext,
  portField = "port",
): EndpointPort | undefined {
  const before = context.errorCount;
  checkPortName(name, [...path, "name"], context);
  checkPortNumber(port, [...path, portField], context);
  const number = readPortProtocol(protocol, [...path, "protocol"], context);
  return number === undefined || context.errorCount > before ? undefined : { name, protocol: number, port };
}

export function checkPortName(name: string, path: ValuePath, context: ResourceContext): void {
  if (isPortName(name)) return;
  const hint = "at most 15 lower-case letters, digits and single `-`, with at least one letter";
  context.error("RAMPART_E_NAME", path, `${describe(name)} is not a port name`, hint);
}

export function checkPortNumber(port: number, path: ValuePath, context: ResourceContext): void {
  if (isPort(port)) return;
  context.error("RAMPART_E_PORT", path, `${port} is not a port`, "expected a port from 1 to 65535");
}

/** The protocol's number; undefined with the problem reported. */
export function readPortProtocol(
  value: z.output<typeof protocolSchema>,
  path: ValuePath,
  context: ResourceContext,
): number | undefined {
  const before = context.errorCount;
  const protocol = readProtocol(value, path, context);
  if (hasPorts(protocol)) return protocol;
  if (context.errorCount === before) {
    context.error("RAMPART_E_VALUE", path, "a port has protocol TCP, UDP or SCTP", "give one of them");
  }
  return undefined;
}
